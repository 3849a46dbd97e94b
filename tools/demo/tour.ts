/** The steps of the demo: what was done, how long it took, and whether it was as promised. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import type { Bed } from '../../test/harness/bed.ts';
import { eventually } from '../../test/harness/eventually.ts';
import { readExample } from '../dev/examples.ts';
import { ROOT } from '../setup/paths.mjs';

export interface Step {
  readonly title: string;
  /** Lines for a person. */
  readonly facts: readonly string[];
  readonly holds: boolean;
}

interface SecretObject {
  readonly data?: Readonly<Record<string, string>>;
  readonly metadata?: {
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
}

const REMOTE_KEY = 'demo/database';
const FIRST = { username: 'app', password: 'first-password' };
const ROTATED = { username: 'app', password: 'rotated-password' };
const SECRET_PATH = '/api/v1/namespaces/demo/secrets/database-credentials';
const CREATE_PATH = '/apis/external-secrets.io/v1/namespaces/demo/externalsecrets';
/** On top of the interval, for the poller's own work on a busy machine. */
const REFRESH_SLACK_MS = 3000;

const clock = (): string => new Date().toISOString().slice(11, 23);
const ms = (from: number, to: number): string => `${Math.round(to - from)} ms`;

async function applyExample(bed: Bed, file: string): Promise<Step> {
  const { code, stdout, stderr } = await bed.cp.kubectl(['apply', '-f', '-'], {
    stdin: readExample(bed.openBao, file),
  });
  return { title: `kubectl apply -f examples/${file}`, facts: [(stdout + stderr).trim()], holds: code === 0 };
}

function decode({ data }: SecretObject): Record<string, string> {
  const entries = Object.entries(data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}

/** The promise of the product: the Secret is there when the create has returned, at the first look. */
async function create(bed: Bed): Promise<Step> {
  const file = 'vault-token/3-external-secret.yaml';
  const manifest: unknown = parse(readExample(bed.openBao, file));
  const sentAt = clock();
  const sent = performance.now();
  const created = await bed.cp.request<{ message?: string }>('POST', CREATE_PATH, manifest);
  const returnedAt = clock();
  const returned = performance.now();
  const read = await bed.cp.request<SecretObject>('GET', SECRET_PATH);
  const readAt = clock();
  const values = read.status === 200 ? decode(read.body) : {};
  return {
    title: `create of examples/${file}: the Secret is there when it returns`,
    facts: [
      `${sentAt}  create sent`,
      `${returnedAt}  create returned: ${created.status} after ${ms(sent, returned)}${created.body.message ?? ''}`,
      `${readAt}  Secret read: ${read.status}, ${Object.keys(values).join(', ') || 'no keys'}`,
    ],
    holds: created.status === 201 && isDeepStrictEqual(values, FIRST),
  };
}

async function adoption(bed: Bed): Promise<Step> {
  const began = performance.now();
  const owner = await eventually(
    async () => (await bed.cp.request<SecretObject>('GET', SECRET_PATH)).body.metadata?.ownerReferences?.[0],
    { timeout: 10_000 },
  ).catch(() => undefined);
  return {
    title: 'the poller takes it over: from now on it is owned and refreshed',
    facts: [`owner ${owner?.kind ?? 'nobody'} ${owner?.name ?? ''} after ${ms(began, performance.now())}`],
    holds: owner?.kind === 'ExternalSecret' && owner.name === 'database',
  };
}

async function rotation(bed: Bed): Promise<Step> {
  const { spec } = parse(readExample(bed.openBao, 'vault-token/3-external-secret.yaml')) as {
    spec: { refreshInterval: string };
  };
  const interval = Number.parseInt(spec.refreshInterval, 10) * 1000;
  await bed.openBao.write(REMOTE_KEY, ROTATED);
  const rotatedAt = clock();
  const rotated = performance.now();
  const updated = await eventually(
    async () =>
      isDeepStrictEqual(decode((await bed.cp.request<SecretObject>('GET', SECRET_PATH)).body), ROTATED),
    { timeout: interval + REFRESH_SLACK_MS, interval: 20 },
  ).catch(() => false);
  return {
    title: `rotation in Vault: the Secret follows within its refreshInterval of ${spec.refreshInterval}`,
    facts: [
      `${rotatedAt}  new password written to secret/${REMOTE_KEY}`,
      `${clock()}  Secret ${updated ? 'updated' : 'NOT updated'} after ${ms(rotated, performance.now())}`,
    ],
    holds: updated,
  };
}

/** The same promise with another provider, and with every member of a secret. */
async function createFromAws(bed: Bed): Promise<Step> {
  const files = ['aws-keys/1-keys.yaml', 'aws-keys/2-store.yaml', 'aws-keys/3-external-secret.yaml'];
  const stdin = files.map((file) => readExample(bed.openBao, file)).join('---\n');
  const { code, stdout, stderr } = await bed.cp.kubectl(['apply', '-f', '-'], { stdin });
  const path = SECRET_PATH.replace(/[^/]*$/, 'payment-credentials');
  const read = await bed.cp.request<SecretObject>('GET', path);
  const keys = read.status === 200 ? Object.keys(decode(read.body)) : [];
  return {
    title: 'kubectl apply -f examples/aws-keys: the same from AWS Secrets Manager',
    facts: [(stdout + stderr).trim(), `Secret read: ${read.status}, ${keys.join(', ') || 'no keys'}`],
    holds: code === 0 && isDeepStrictEqual(keys.sort(), ['token', 'user']),
  };
}

async function refusal(bed: Bed): Promise<Step> {
  const { code, stderr } = await bed.cp.kubectl(['apply', '-f', join(ROOT, 'examples/refused/store.yaml')]);
  const stored = await bed.cp.kubectl(['get', 'secretstore', '-n', 'demo', 'mistaken']);
  return {
    title: 'kubectl apply -f examples/refused/store.yaml: refused at once, both mistakes named',
    facts: [stderr.trim()],
    holds:
      code !== 0 &&
      stored.code !== 0 &&
      ['spec.provider.vault.server', 'spec.provider.vault.auth'].every((path) => stderr.includes(path)),
  };
}

/** Every step runs, whatever became of the ones before. */
export async function* tour(bed: Bed): AsyncGenerator<Step> {
  await bed.openBao.write(REMOTE_KEY, FIRST);
  yield {
    title: `a secret in Vault: secret/${REMOTE_KEY}`,
    facts: [`${Object.keys(FIRST).join(', ')} at ${bed.openBao.address}`],
    holds: true,
  };
  yield await applyExample(bed, 'vault-token/1-namespace.yaml');
  yield await applyExample(bed, 'vault-token/2-store.yaml');
  yield await create(bed);
  yield await adoption(bed);
  yield await rotation(bed);
  yield await createFromAws(bed);
  yield await refusal(bed);
}
