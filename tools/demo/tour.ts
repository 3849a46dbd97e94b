/** The steps of the demo: what was done, how long it took, and whether it was as promised. */
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { eventually } from '../../test/harness/eventually.ts';
import { readExample } from '../dev/examples.ts';
import type { DevSession } from '../dev/session.ts';

export interface Step {
  readonly title: string;
  /** Lines for a person; of a skipped step, why. */
  readonly facts: readonly string[];
  readonly outcome: 'held' | 'failed' | 'skipped';
}

type Ground = Pick<DevSession, 'cluster' | 'openBao' | 'aws' | 'place' | 'collectsGarbage'>;

interface SecretObject {
  readonly data?: Readonly<Record<string, string>>;
  readonly metadata?: {
    readonly uid?: string;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
}

const REMOTE_KEY = 'demo/database';
const FIRST = { username: 'app', password: 'first-password' };
const ROTATED = { username: 'app', password: 'rotated-password' };
/** On top of the interval, for the poller's own work on a busy machine. */
const REFRESH_SLACK_MS = 3000;
/** A garbage collector looks for new kinds each 30 s. */
const COLLECTION_MS = 75_000;

const outcomeOf = (holds: boolean): Step['outcome'] => (holds ? 'held' : 'failed');
/** Where the values of the tour come from. */
const folderOf = ({ openBao }: Ground): string => (openBao === undefined ? 'fake' : 'vault-token');
const secretPath = ({ place }: Ground, name = 'database-credentials'): string =>
  `/api/v1/namespaces/${place.namespace}/secrets/${name}`;

const clock = (): string => new Date().toISOString().slice(11, 23);
const ms = (from: number, to: number): string => `${Math.round(to - from)} ms`;

async function applyExample(ground: Ground, file: string): Promise<Step> {
  const { code, stdout, stderr } = await ground.cluster.kubectl(['apply', '-f', '-'], {
    stdin: readExample(ground.place, file),
  });
  return {
    title: `kubectl apply -f examples/${file}`,
    facts: [(stdout + stderr).trim()],
    outcome: outcomeOf(code === 0),
  };
}

function decode({ data }: SecretObject): Record<string, string> {
  const entries = Object.entries(data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}

async function readSecret(ground: Ground): Promise<SecretObject> {
  return (await ground.cluster.request<SecretObject>('GET', secretPath(ground))).body;
}

/** The promise of the product: the Secret is there when the create has returned, at the first look. */
async function create(ground: Ground): Promise<Step> {
  const file = `${folderOf(ground)}/3-external-secret.yaml`;
  const { cluster, place } = ground;
  const manifest: unknown = parse(readExample(place, file));
  const path = `/apis/external-secrets.io/v1/namespaces/${place.namespace}/externalsecrets`;
  const sentAt = clock();
  const sent = performance.now();
  const created = await cluster.request<{ message?: string }>('POST', path, manifest);
  const returnedAt = clock();
  const returned = performance.now();
  const read = await cluster.request<SecretObject>('GET', secretPath(ground));
  const readAt = clock();
  const values = read.status === 200 ? decode(read.body) : {};
  return {
    title: `create of examples/${file}: the Secret is there when it returns`,
    facts: [
      `${sentAt}  create sent`,
      `${returnedAt}  create returned: ${created.status} after ${ms(sent, returned)}${created.body.message ?? ''}`,
      `${readAt}  Secret read: ${read.status}, ${Object.keys(values).join(', ') || 'no keys'}`,
    ],
    outcome: outcomeOf(created.status === 201 && isDeepStrictEqual(values, FIRST)),
  };
}

async function adoption(ground: Ground): Promise<Step> {
  const began = performance.now();
  const owner = await eventually(async () => (await readSecret(ground)).metadata?.ownerReferences?.[0], {
    timeout: 10_000,
  }).catch(() => undefined);
  return {
    title: 'the poller takes it over: from now on it is owned and refreshed',
    facts: [`owner ${owner?.kind ?? 'nobody'} ${owner?.name ?? ''} after ${ms(began, performance.now())}`],
    outcome: outcomeOf(owner?.kind === 'ExternalSecret' && owner.name === 'database'),
  };
}

/** Gives the remote secret another password. @returns what was done */
async function rotateRemote({ cluster, openBao, place }: Ground): Promise<string> {
  if (openBao !== undefined) {
    await openBao.write(REMOTE_KEY, ROTATED);
    return `new password written to secret/${REMOTE_KEY}`;
  }
  const store = readExample(place, 'fake/2-store.yaml').replace(FIRST.password, ROTATED.password);
  await cluster.kubectlOutput(['apply', '-f', '-'], { stdin: store });
  return `new password written to ${REMOTE_KEY} of the store`;
}

async function rotation(ground: Ground): Promise<Step> {
  const example = readExample(ground.place, `${folderOf(ground)}/3-external-secret.yaml`);
  const { spec } = parse(example) as { spec: { refreshInterval: string } };
  const interval = Number.parseInt(spec.refreshInterval, 10) * 1000;
  const done = await rotateRemote(ground);
  const rotatedAt = clock();
  const rotated = performance.now();
  const updated = await eventually(async () => isDeepStrictEqual(decode(await readSecret(ground)), ROTATED), {
    timeout: interval + REFRESH_SLACK_MS,
    interval: 20,
  }).catch(() => false);
  const where = ground.openBao === undefined ? 'the store' : 'Vault';
  return {
    title: `rotation in ${where}: the Secret follows within its refreshInterval of ${spec.refreshInterval}`,
    facts: [
      `${rotatedAt}  ${done}`,
      `${clock()}  Secret ${updated ? 'updated' : 'NOT updated'} after ${ms(rotated, performance.now())}`,
    ],
    outcome: outcomeOf(updated),
  };
}

/** The same promise with another provider, and with every member of a secret. */
async function createFromAws(ground: Ground): Promise<Step> {
  const title = 'kubectl apply -f examples/aws-keys: the same from AWS Secrets Manager';
  if (ground.aws === undefined) {
    return { title, facts: ['the stand-in for AWS is not on this machine'], outcome: 'skipped' };
  }
  const files = ['aws-keys/1-keys.yaml', 'aws-keys/2-store.yaml', 'aws-keys/3-external-secret.yaml'];
  const stdin = files.map((file) => readExample(ground.place, file)).join('---\n');
  const { code, stdout, stderr } = await ground.cluster.kubectl(['apply', '-f', '-'], { stdin });
  const path = secretPath(ground, 'payment-credentials');
  const read = await ground.cluster.request<SecretObject>('GET', path);
  const keys = read.status === 200 ? Object.keys(decode(read.body)) : [];
  return {
    title,
    facts: [(stdout + stderr).trim(), `Secret read: ${read.status}, ${keys.join(', ') || 'no keys'}`],
    outcome: outcomeOf(code === 0 && isDeepStrictEqual(keys.sort(), ['token', 'user'])),
  };
}

/** Deleted and made again; so it is there for whoever looks around after the tour. */
async function deletion(ground: Ground): Promise<Step> {
  const title = 'kubectl delete externalsecret database: its Secret goes with it, and comes back with it';
  if (!ground.collectsGarbage) {
    return {
      title,
      facts: ['needs a garbage collector: this control plane has no kube-controller-manager'],
      outcome: 'skipped',
    };
  }
  const { cluster, place } = ground;
  const uid = (await readSecret(ground)).metadata?.uid;
  const removed = await cluster.kubectl(['-n', place.namespace, 'delete', 'externalsecret', 'database']);
  const began = performance.now();
  const gone = await eventually(
    async () => (await cluster.request('GET', secretPath(ground))).status === 404,
    { timeout: COLLECTION_MS },
  ).catch(() => false);
  const collected = ms(began, performance.now());
  const again = await applyExample(ground, `${folderOf(ground)}/3-external-secret.yaml`);
  const back = await readSecret(ground);
  return {
    title,
    facts: [
      (removed.stdout + removed.stderr).trim(),
      `Secret ${gone ? 'collected' : 'NOT collected'} after ${collected}`,
      ...again.facts,
      `Secret read: ${Object.keys(decode(back)).join(', ') || 'no keys'}`,
    ],
    outcome: outcomeOf(
      gone && uid !== undefined && back.metadata?.uid !== uid && isDeepStrictEqual(decode(back), ROTATED),
    ),
  };
}

async function refusal({ cluster, place }: Ground): Promise<Step> {
  const file = 'refused/store.yaml';
  const { code, stderr } = await cluster.kubectl(['apply', '-f', '-'], { stdin: readExample(place, file) });
  const stored = await cluster.kubectl(['get', 'secretstore', '-n', place.namespace, 'mistaken']);
  return {
    title: `kubectl apply -f examples/${file}: refused at once, both mistakes named`,
    facts: [stderr.trim()],
    outcome: outcomeOf(
      code !== 0 &&
        stored.code !== 0 &&
        ['spec.provider.vault.server', 'spec.provider.vault.auth'].every((path) => stderr.includes(path)),
    ),
  };
}

/** Every step runs, whatever became of the ones before. */
export async function* tour(ground: Ground): AsyncGenerator<Step> {
  const { openBao } = ground;
  if (openBao !== undefined) {
    await openBao.write(REMOTE_KEY, FIRST);
    yield {
      title: `a secret in Vault: secret/${REMOTE_KEY}`,
      facts: [`${Object.keys(FIRST).join(', ')} at ${openBao.address}`],
      outcome: 'held',
    };
  }
  yield await applyExample(ground, `${folderOf(ground)}/1-namespace.yaml`);
  yield await applyExample(ground, `${folderOf(ground)}/2-store.yaml`);
  yield await create(ground);
  yield await adoption(ground);
  yield await rotation(ground);
  yield await createFromAws(ground);
  yield await deletion(ground);
  yield await refusal(ground);
}
