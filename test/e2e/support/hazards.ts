/** A bed for dangerous creates: two replicas, a poller, somebody else's hooks, and a book of what has to become of Secrets. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ANNOTATION_PENDING, GROUP } from '../../../api/external-secrets/names.ts';
import type { SecretObject } from '../../../kube/objects.ts';
import { parseMarker } from '../../../sync/marker.ts';
import type { Bed } from '../../harness/bed.ts';
import { eventually } from '../../harness/eventually.ts';
import type { Cluster, Manifest } from './cluster.ts';
import { type Recorder, SENTINEL, startRecorder } from './recorder.ts';
import { CHANGED_KEY, type SomebodyElse, startSomebodyElse } from './somebody-else.ts';
import { externalSecret } from './vault.ts';

/** A machine that is busy with other tests takes its time. */
export const WITHIN_MS = 30_000;
/** The value of `password` at CHANGED_KEY. */
export const CHANGED_VALUE = `${SENTINEL}-changed`;
export const OWN_DATA = { keep: 'me' };

/** An ExternalSecret that is read once while a test runs, so that every trace is of its create. */
export const object = (where: string, name: string, spec: object = {}, metadata: object = {}): Manifest =>
  externalSecret(where, name, { refreshInterval: '1h', ...spec }, metadata);

/** Somebody's own Secret. */
export const ownSecret = (
  where: string,
  name: string,
  metadata: object = {},
  data: object = OWN_DATA,
): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: where, ...metadata },
  stringData: data,
});

/** Path of the ExternalSecrets of a namespace, or of one. */
export const pathOf = (where: string, name = ''): string =>
  `/apis/${GROUP}/v1/namespaces/${where}/externalsecrets${name === '' ? '' : `/${name}`}`;

const identityOf = ({ metadata, data }: SecretObject): string => JSON.stringify([metadata.uid, data]);

/** A line of the webhook's log about one call of the hook. */
interface Line {
  readonly time: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly outcome: string;
}

export class HazardBed {
  readonly recorder: Recorder;
  readonly bed: Bed;
  readonly cluster: Cluster;
  readonly #somebodyElse: SomebodyElse;
  /** Secrets, as namespace/name: those to be swept, those that have to stay as they are, and those that must not come. */
  readonly #abandoned = new Set<string>();
  readonly #kept = new Map<string, string>();
  readonly #never = new Set<string>();

  constructor(recorder: Recorder, somebodyElse: SomebodyElse) {
    this.recorder = recorder;
    this.bed = recorder.bed;
    this.cluster = recorder.cluster;
    this.#somebodyElse = somebodyElse;
  }

  async stop(): Promise<void> {
    this.#somebodyElse.stop();
    await this.bed.stop();
  }

  /** What became of the Secret in each call of the hook about this object (undefined: one without a name). */
  outcomes(where: string, name: string | undefined): readonly string[] {
    return this.bed.product.webhooks
      .flatMap(({ log }) => readFileSync(log, 'utf8').trimEnd().split('\n'))
      .filter((line) => line.includes('"materialize"'))
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => line.namespace === where && line.name === name)
      .toSorted((a, b) => (a.time < b.time ? -1 : 1))
      .map(({ outcome }) => outcome);
  }

  /** A create that has to succeed, with one warning that matches or with none. */
  async create(manifest: Manifest, warning?: RegExp): Promise<void> {
    const { status, body, warnings } = await this.cluster.attempt(manifest);
    assert.equal(status, 201, body.message ?? '');
    assert.equal(warnings.length, warning === undefined ? 0 : 1, warnings.join('\n'));
    if (warning !== undefined) assert.match(warnings[0] ?? '', warning);
  }

  /** A create that has to be refused in these words. */
  async refused(manifest: Manifest, words: RegExp): Promise<void> {
    const { status, body } = await this.cluster.attempt(manifest);
    assert.ok(status >= 400 && status < 500, `${status}`);
    assert.match(body.message ?? '', words);
  }

  /**
   * A create that is refused behind our hook: no object, but a Secret with a marker; or, if the hook is not called
   * for it, none.
   */
  async refusedLate(manifest: Manifest, words: RegExp, called = true): Promise<void> {
    const { name, namespace: where = '' } = manifest.metadata;
    await this.refused(manifest, words);
    assert.equal(await this.cluster.find('ExternalSecret', where, name), undefined);
    assert.deepEqual(this.outcomes(where, name), called ? ['created'] : []);
    if (!called) {
      this.never(where, name);
      return;
    }
    const { metadata } = await this.cluster.get('Secret', where, name);
    assert.equal(parseMarker(metadata.annotations?.[ANNOTATION_PENDING] ?? '')?.externalSecret, name);
    assert.equal(metadata.ownerReferences, undefined);
  }

  /** This Secret has to be swept. */
  abandon(where: string, name: string): void {
    this.#abandoned.add(`${where}/${name}`);
  }

  /** This Secret has to stay, with its data. */
  async keep(where: string, name: string): Promise<void> {
    this.#kept.set(`${where}/${name}`, identityOf(await this.cluster.get('Secret', where, name)));
  }

  /** This Secret must not come. */
  never(where: string, name: string): void {
    this.#never.add(`${where}/${name}`);
  }

  /** Waits for the sweep, and compares with the book. */
  async assertSwept(): Promise<void> {
    const swept = (): Promise<number> => this.bed.product.poller.metric('esa_sweeps_total');
    await eventually(async () => (await swept()) >= this.#abandoned.size, {
      timeout: 120_000,
      interval: 500,
      what: `the sweep of ${[...this.#abandoned].join(', ')}`,
    });
    for (const [id, identity] of this.#kept) {
      const secret = await this.#find(id);
      assert.ok(secret !== undefined && identityOf(secret) === identity, `${id} is not what it was`);
    }
    for (const id of this.#never) assert.equal(await this.#find(id), undefined, `${id} was made`);
    for (const id of this.#abandoned) assert.equal(await this.#find(id), undefined, `${id} is still there`);
    assert.equal(await swept(), this.#abandoned.size);
  }

  #find(id: string): Promise<SecretObject | undefined> {
    const [where = '', name = ''] = id.split('/');
    return this.cluster.find('Secret', where, name);
  }
}

export async function startHazardBed(): Promise<HazardBed> {
  const recorder = await startRecorder({ webhooks: 2 });
  try {
    const { cp, openBao, product } = recorder.bed;
    await openBao.write(CHANGED_KEY, { password: CHANGED_VALUE });
    const [somebodyElse] = await Promise.all([startSomebodyElse(cp), product.startPoller()]);
    return new HazardBed(recorder, somebodyElse);
  } catch (error) {
    await recorder.bed.stop();
    throw error;
  }
}
