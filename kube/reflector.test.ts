import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeClient, METADATA_ONLY } from './client.ts';
import type { Interest } from './known-objects.ts';
import type { KubeLog } from './log.ts';
import type { KubeObject } from './objects.ts';
import { type DeletedObject, Reflector, type ReflectorOptions } from './reflector.ts';
import { failure, sendJson, startWireServer, type WireServer } from './testing/wire-server.ts';

const PATH = '/apis/external-secrets.io/v1/externalsecrets';

const object = (name: string, resourceVersion: string, uid = `uid-${name}`, extra: object = {}) => ({
  metadata: { namespace: 'shop', name, uid, resourceVersion },
  ...extra,
});
const list = (resourceVersion: string, items: unknown[], next?: string) => ({
  metadata: { resourceVersion, ...(next ? { continue: next } : {}) },
  items,
});
const line = (type: string, body: unknown): string => `${JSON.stringify({ type, object: body })}\n`;

/** A server with one list and one watch; tests replace either. */
class Script {
  lists = 0;
  watches: { version: string | null; response: ServerResponse }[] = [];
  onList: (response: ServerResponse, token: string | null) => void = (response) =>
    sendJson(response, 200, list('10', []));
  onWatch: (response: ServerResponse) => void = () => {};

  async serve(): Promise<WireServer> {
    return await startWireServer((request, response) => {
      if (request.query.get('watch') === null) {
        this.lists++;
        this.onList(response, request.query.get('continue'));
        return;
      }
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      this.watches.push({ version: request.query.get('resourceVersion'), response });
      this.onWatch(response);
    });
  }

  /** The newest watch. */
  get watch(): ServerResponse {
    const last = this.watches.at(-1);
    assert.ok(last, 'no watch is open');
    return last.response;
  }
}

function follow(server: WireServer, more: Partial<ReflectorOptions<KubeObject>> = {}) {
  const log: string[] = [];
  const problems: string[] = [];
  const kube = new KubeClient({ server: server.url });
  const note = (_fields: object, message: string): void => void problems.push(message);
  const testLog: KubeLog = { info: note, warn: note, error: note };
  const reflector = new Reflector<KubeObject>({
    kube,
    path: PATH,
    log: testLog,
    backoffMs: { min: 5, max: 20 },
    handlers: {
      onUpsert: (o) => void log.push(`+${o.metadata.name}@${o.metadata.resourceVersion}`),
      onDelete: (o: DeletedObject) => void log.push(`-${o.name}/${o.uid}`),
      onSynced: () => void log.push('synced'),
    },
    ...more,
  });
  reflector.start();
  return {
    log,
    problems,
    reflector,
    [Symbol.asyncDispose]: async () => {
      await reflector.stop();
      await kube.close();
    },
  };
}

async function until(what: () => boolean, why: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (what()) return;
    await sleep(5);
  }
  assert.fail(`never: ${why}`);
}

test('pages, then events, in order; bookmarks move the version', async () => {
  const script = new Script();
  script.onList = (response, token) =>
    sendJson(
      response,
      200,
      token === null
        ? list('10', [object('a', '1'), object('b', '2')], 'next')
        : list('10', [object('c', '3')]),
    );
  await using server = await script.serve();
  await using run = follow(server, { pageSize: 2, query: { labelSelector: 'x=y' } });
  assert.equal(await run.reflector.synced, true);
  await until(() => script.watches.length === 1, 'a watch');
  script.watch.write(line('ADDED', object('d', '11')) + line('MODIFIED', object('a', '12')));
  script.watch.write(line('DELETED', object('b', '13')));
  script.watch.write(line('BOOKMARK', { metadata: { resourceVersion: '99' } }));
  await until(() => run.log.length === 7, 'all events');
  assert.deepEqual(run.log, ['+a@1', '+b@2', '+c@3', 'synced', '+d@11', '+a@12', '-b/uid-b']);
  assert.equal(run.reflector.size, 3);
  script.watch.end();
  await until(() => script.watches.length === 2, 'the next watch');
  assert.equal(script.watches[1]?.version, '99');
  assert.equal(script.lists, 2, 'two pages, no second list');
  const [page, , watch] = server.received;
  assert.deepEqual(Object.fromEntries(page?.query ?? []), { labelSelector: 'x=y', limit: '2' });
  assert.equal(watch?.query.get('allowWatchBookmarks'), 'true');
  assert.ok(Number(watch?.query.get('timeoutSeconds')) >= 300);
});

test('a reset in the middle of an event: resumed from the last whole one, nothing twice', async () => {
  const script = new Script();
  await using server = await script.serve();
  await using run = follow(server);
  await until(() => script.watches.length === 1, 'a watch');
  script.watch.write(line('ADDED', object('a', '11')) + line('ADDED', object('b', '12')).slice(0, 30));
  await until(() => run.log.length === 2, 'the first event');
  server.reset();
  await until(() => script.watches.length === 2, 'a new watch');
  assert.equal(script.watches[1]?.version, '11');
  script.watch.write(line('ADDED', object('b', '12')));
  await until(() => run.log.length === 3, 'the second event');
  assert.deepEqual(run.log, ['synced', '+a@11', '+b@12']);
});

test('characters and lines cut anywhere; a line of several MB', async () => {
  const script = new Script();
  const seen: KubeObject[] = [];
  await using server = await script.serve();
  await using run = follow(server, { handlers: { onUpsert: (o) => void seen.push(o), onDelete: () => {} } });
  await until(() => script.watches.length === 1, 'a watch');
  const bytes = Buffer.from(line('ADDED', object('a', '11', 'u', { spec: { text: '日本語😀' } })));
  for (const byte of bytes) {
    script.watch.write(Buffer.from([byte]));
    if (byte > 127) await sleep(1);
  }
  const big = 'ü'.repeat(3_000_000);
  script.watch.write(line('ADDED', object('b', '12', 'u', { spec: { text: big } })));
  await until(() => seen.length === 2, 'both');
  assert.deepEqual(
    seen.map((o) => (o as unknown as { spec: { text: string } }).spec.text),
    ['日本語😀', big],
  );
  assert.deepEqual(run.problems, []);
});

test('410 within the stream, as an answer, and on continue: listed again; what is gone is deleted', async () => {
  const script = new Script();
  let items = [object('a', '1'), object('b', '2')];
  script.onList = (response) => sendJson(response, 200, list('10', items));
  await using server = await script.serve();
  await using run = follow(server);
  await until(() => script.watches.length === 1, 'a watch');
  items = [object('b', '2'), object('c', '20')];
  script.watch.write(line('ERROR', failure(410, 'Expired', 'too old resource version')));
  await until(() => script.watches.length === 2, 'a watch after the list');
  assert.deepEqual(run.log, ['+a@1', '+b@2', 'synced', '+c@20', '-a/uid-a']);

  items = [];
  let refused = 0;
  server.handle((request, response) => {
    if (request.query.get('watch') !== null && refused++ === 0)
      return sendJson(response, 410, failure(410, 'Expired', ''));
    if (request.query.get('watch') !== null) return void script.watches.push({ version: null, response });
    if (request.query.get('continue') !== null)
      return sendJson(response, 410, failure(410, 'Expired', 'continue'));
    sendJson(response, 200, refused === 1 ? list('30', [object('d', '21')], 'next') : list('30', []));
    refused++;
  });
  script.watch.end(line('BOOKMARK', { metadata: { resourceVersion: '29' } }));
  await until(() => run.log.length === 9, 'lists');
  assert.deepEqual(run.log.slice(5), ['+d@21', '-b/uid-b', '-c/uid-c', '-d/uid-d']);
});

test('a watch that says nothing, not even a bookmark, is cut, and the truth is listed', async () => {
  const script = new Script();
  await using server = await script.serve();
  await using run = follow(server, { silenceMs: 60 });
  await until(() => script.watches.length === 1, 'a watch');
  script.onList = (response) => sendJson(response, 200, list('3', [object('restored', '2')]));
  await until(() => run.log.includes('+restored@2'), 'the object that no watch told of');
  await until(() => script.watches.length >= 3, 'new watches');
  assert.equal(script.watches[1]?.version, '3');
  assert.ok(run.problems.length >= 2);
});

test('a server that ends every watch at once is not hammered', async () => {
  const script = new Script();
  script.onWatch = (response) => void response.end();
  await using server = await script.serve();
  await using _run = follow(server, { backoffMs: { min: 100, max: 1000 } });
  await sleep(600);
  assert.ok(script.watches.length >= 2 && script.watches.length <= 6, `${script.watches.length} watches`);
});

test('a handler that throws is reported, the loop goes on, the next list delivers again', async () => {
  const script = new Script();
  script.onList = (response) => sendJson(response, 200, list('10', [object('a', '1')]));
  await using server = await script.serve();
  let failures = 2;
  const log: string[] = [];
  await using run = follow(server, {
    handlers: {
      onUpsert: (o) => {
        if (o.metadata.name === 'a' && failures-- > 0) throw new Error('defect');
        log.push(`+${o.metadata.name}`);
      },
      onDelete: () => {},
    },
  });
  await until(() => script.watches.length === 1, 'a watch');
  script.watch.write(line('ADDED', object('b', '11')));
  await until(() => log.length === 1, 'b');
  for (let i = 1; i <= 3; i++) {
    script.watch.write(line('ERROR', failure(410, 'Expired', '')));
    await until(() => script.watches.length === 1 + i, 'a watch after a list');
  }
  assert.deepEqual(log, ['+b', '+a'], 'delivered once it works, and not again');
  assert.ok(run.problems.includes('a handler of the reflector failed'));
});

test('deleted and made again under the same name: a deletion, then the new object', async () => {
  const script = new Script();
  script.onList = (response) => sendJson(response, 200, list('10', [object('a', '1', 'one')]));
  await using server = await script.serve();
  await using run = follow(server);
  await until(() => script.watches.length === 1, 'a watch');
  script.onList = (response) => sendJson(response, 200, list('20', [object('a', '15', 'two')]));
  script.watch.write(line('ERROR', failure(410, 'Expired', '')));
  await until(() => script.watches.length === 2, 'a watch after the list');
  script.watch.write(line('ADDED', object('a', '21', 'three')));
  await until(() => run.log.length === 6, 'the third');
  assert.deepEqual(run.log, ['+a@1', 'synced', '-a/one', '+a@15', '-a/two', '+a@21']);
});

test('only metadata is asked for, in lists and watches', async () => {
  const script = new Script();
  await using server = await script.serve();
  await using _run = follow(server, { metadataOnly: true });
  await until(() => script.watches.length === 1, 'a watch');
  assert.deepEqual(
    server.received.map((r) => r.headers.accept),
    [METADATA_ONLY.list, METADATA_ONLY.object],
  );
});

test('429 with Retry-After is obeyed', async () => {
  const script = new Script();
  let first = 0;
  script.onList = (response) => {
    if (first === 0) {
      first = performance.now();
      return sendJson(response, 429, failure(429, 'TooManyRequests', ''), { 'retry-after': '1' });
    }
    sendJson(response, 200, list('10', []));
  };
  await using server = await script.serve();
  await using run = follow(server);
  await run.reflector.synced;
  assert.ok(performance.now() - first >= 950);
});

test('a periodic list finds what a watch never told', async () => {
  const script = new Script();
  script.onWatch = (response) => void setTimeout(() => response.end(), 30);
  await using server = await script.serve();
  await using run = follow(server, { relistMs: 100 });
  await run.reflector.synced;
  script.onList = (response) => sendJson(response, 200, list('20', [object('quiet', '19')]));
  await until(() => run.log.includes('+quiet@19'), 'the object');
});

test('nothing is delivered after stop', async () => {
  const script = new Script();
  let release: () => void = () => {};
  script.onList = (response) => {
    release = () => sendJson(response, 200, list('10', [object('a', '1')]));
  };
  await using server = await script.serve();
  await using run = follow(server);
  await until(() => script.lists === 1, 'a list');
  const stopped = run.reflector.stop();
  release();
  await stopped;
  assert.equal(await run.reflector.synced, false);
  assert.deepEqual(run.log, []);
  assert.deepEqual(run.problems, []);
});

test('says for how long neither a list nor a watch has worked', async () => {
  let now = 0;
  const script = new Script();
  script.onList = (response) => sendJson(response, 500, failure(500, 'InternalError', 'no'));
  await using server = await script.serve();
  await using followed = follow(server, { clock: { now: () => now, monotonic: () => now } });
  const { reflector } = followed;
  while (script.lists < 2) await sleep(5);
  now = 90_000;
  assert.equal(reflector.brokenMs, 90_000);
  script.onList = (response) => sendJson(response, 200, list('10', []));
  assert.equal(await reflector.synced, true);
  assert.equal(reflector.brokenMs, 0);
});

test('where only some names matter: what a gap of the watch hid is found by the next list, and only that', async () => {
  const script = new Script();
  const shown = ['early', 'kept', 'foreign', 'seen'].map((name, index) => object(name, String(index + 1)));
  script.onList = (response) => sendJson(response, 200, list('10', shown));
  await using server = await script.serve();
  // Nobody asks for any of them when they are listed first.
  const interests: Interest[] = [];
  const of = (name: string, resourceVersion?: string): Interest => ({
    namespace: 'shop',
    name,
    resourceVersion,
  });
  await using run = follow(server, { interests: () => interests });
  await until(() => script.watches.length === 1, 'a watch');
  assert.equal(run.reflector.size, 4);
  interests.push(of('early', '1'), of('kept', '2'), of('seen'));
  // Written by ourselves: in the gap, and after the list.
  interests.push(of('made-and-gone', '15'), of('made-later', '21'));
  // Never there, and nobody says that it was.
  interests.push(of('never'));
  script.onList = (response) => sendJson(response, 200, list('20', [object('kept', '2')]));
  script.watch.write(line('ERROR', failure(410, 'Expired', '')));
  await until(() => script.watches.length === 2, 'a watch after the list');
  assert.deepEqual(run.log.slice(5), ['-early/undefined', '-seen/undefined', '-made-and-gone/undefined']);
  assert.equal(run.reflector.size, 1, 'nothing is kept of what is gone');
  // Whoever it was that a watch shows to be deleted, he is named.
  script.watch.write(line('DELETED', object('unheard', '22')));
  script.watch.write(line('MODIFIED', object('kept', '2')) + line('MODIFIED', object('kept', '23')));
  await until(() => run.log.length === 10, 'the events');
  assert.deepEqual(run.log.slice(8), ['-unheard/uid-unheard', '+kept@23']);
});

test('a large page is handled in pieces, and others have their turn between them', async () => {
  const script = new Script();
  const items = Array.from({ length: 500 }, (_, index) => object(`o${index}`, String(index + 1)));
  script.onList = (response) => sendJson(response, 200, list('900', items));
  await using server = await script.serve();
  let [inOne, most, delivered] = [0, 0, 0];
  await using run = follow(server, {
    handlers: {
      onUpsert: () => {
        inOne += 1;
        delivered += 1;
        most = Math.max(most, inOne);
        setImmediate(() => {
          inOne = 0;
        });
      },
      onDelete: () => {},
    },
  });
  await run.reflector.synced;
  assert.equal(delivered, 500);
  assert.ok(most <= 130, `${most} objects in one turn`);
});

test('redeliver lists at once and brings every object again, in a watch, in a pause, and after a list that failed', async () => {
  const script = new Script();
  script.onList = (response) => sendJson(response, 200, list('10', [object('a', '1'), object('b', '2')]));
  await using server = await script.serve();
  await using run = follow(server, { backoffMs: { min: 60_000, max: 60_000 } });
  await until(() => script.watches.length === 1, 'a watch');
  run.reflector.redeliver();
  await until(() => script.watches.length === 2, 'the watch after the second list');
  assert.deepEqual(run.log, ['+a@1', '+b@2', 'synced', '+a@1', '+b@2']);
  assert.deepEqual(run.problems, []);

  script.onList = (response) => sendJson(response, 500, failure(500, 'InternalError', 'no'));
  run.reflector.redeliver();
  await until(() => run.problems.length === 1, 'the pause after a failure');
  script.onList = (response) => sendJson(response, 200, list('10', [object('a', '3')]));
  run.reflector.redeliver();
  await until(() => script.watches.length === 3, 'the watch after the pause');
  assert.deepEqual(run.log.slice(5), ['+a@3', '-b/uid-b']);
});
