/**
 * What does it cost to look at objects whose values were fetched? 10,000 ExternalSecrets of five keys, each from a JSON
 * object of its own, go from the plan to the values to the Secret that should be, and that is compared with the live
 * one; or, where the poller remembers what it wrote last, only its digest is made. No I/O, nothing has changed.
 *
 * One JSON line a scenario: microseconds of CPU an object, against JSON.parse of the text of the live Secret, which
 * whoever compares with the API server has to do besides.
 */
import { createSecretKey, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { SecretValue } from '../api/secret-value.ts';
import type { SecretObject } from '../kube/objects.ts';
import type { RemoteObject } from '../providers/contract.ts';
import { JsonText } from '../providers/property.ts';
import { entryValues } from '../sync/fetch.ts';
import { ownerReference } from '../sync/ownership.ts';
import { plan } from '../sync/plan.ts';
import { digestOf } from '../sync/reconcile.ts';
import { diff, newSecret } from '../sync/secret-patch.ts';
import { type DesiredSecret, shape } from '../sync/shape.ts';
import { report } from './report.ts';

const { values: flags } = parseArgs({ options: { count: { type: 'string', default: '10000' } } });
const COUNT = Number(flags.count);
const KEYS = ['k1', 'k2', 'k3', 'k4', 'k5'];
const DIGEST_KEY = createSecretKey(randomBytes(32));

interface Item {
  readonly es: ExternalSecret;
  /** As the provider sends it. */
  readonly text: string;
}

function item(index: number): Item {
  const name = `app-${index}`;
  return {
    es: {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: {
        name,
        namespace: 'bench',
        uid: `00000000-0000-0000-0000-${String(index).padStart(12, '0')}`,
      },
      spec: {
        refreshInterval: '1h',
        secretStoreRef: { kind: 'ClusterSecretStore', name: 'vault' },
        data: KEYS.map((secretKey) => ({
          secretKey,
          remoteRef: { key: `bench/${name}`, property: secretKey },
        })),
      },
    },
    text: JSON.stringify(Object.fromEntries(KEYS.map((key) => [key, randomBytes(32).toString('hex')]))),
  };
}

function remoteObject(text: string): RemoteObject {
  const json = new JsonText(text, 'bench');
  return {
    get: (property) => {
      const value = property === undefined ? SecretValue.fromText(text) : json.value(property);
      if (value === undefined) throw new Error(`no ${property}`);
      return value;
    },
    getMap: () => json.members('go'),
  };
}

/** What the engine does between the provider's answer and the comparison. */
function desired({ es, text }: Item): DesiredSecret {
  const object = remoteObject(text);
  const values = new Map<string, SecretValue>();
  for (const read of plan(es).reads)
    for (const [key, value] of entryValues(read, object)) values.set(key, value);
  return shape(es, values, undefined);
}

const writer = ({ es: { metadata } }: Item) => ({ name: metadata.name ?? '', uid: metadata.uid ?? '' });

/** As the API server shows it, with the fields that belong to us. */
function liveText(one: Item, index: number): string {
  const { metadata, ...rest } = newSecret(desired(one), { owner: ownerReference(writer(one)) });
  const fields = (names: readonly string[]) => Object.fromEntries(names.map((name) => [`f:${name}`, {}]));
  const fieldsV1 = {
    'f:data': { '.': {}, ...fields(KEYS) },
    'f:immutable': {},
    'f:metadata': {
      'f:annotations': { '.': {}, ...fields(Object.keys(metadata.annotations ?? {})) },
      'f:labels': { '.': {}, ...fields(Object.keys(metadata.labels ?? {})) },
      'f:ownerReferences': { '.': {}, [`k:{"uid":"${one.es.metadata.uid}"}`]: {} },
    },
    'f:type': {},
  };
  const more = {
    uid: one.es.metadata.uid,
    resourceVersion: String(1000 + index),
    creationTimestamp: '2026-11-22T06:00:00Z',
    managedFields: [
      {
        manager: `externalsecrets.external-secrets.io/${metadata.name}`,
        operation: 'Update',
        apiVersion: 'v1',
        time: '2026-11-22T06:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1,
      },
    ],
  };
  return JSON.stringify({ ...rest, metadata: { ...metadata, ...more } });
}

/** Microseconds of CPU for one of `count` calls. */
function cpu(count: number, work: (index: number) => void): number {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index += 1) work(index);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

const items = Array.from({ length: COUNT }, (_, index) => item(index));
const texts = items.map(liveText);
const parsed: SecretObject[] = [];
const baseline = cpu(COUNT, (index) => parsed.push(JSON.parse(texts[index] ?? '') as SecretObject));
const compared = cpu(COUNT, (index) => {
  const [one, live] = [items[index], parsed[index]];
  if (one === undefined || live === undefined) return;
  const { patch, blocked } = diff(live, desired(one), writer(one));
  if (patch !== undefined || blocked !== undefined)
    throw new Error('the live Secret is not what it should be');
});
const digests = new Set<string>();
const digested = cpu(COUNT, (index) => {
  const one = items[index];
  if (one !== undefined) digests.add(digestOf(DIGEST_KEY, desired(one), one.es.metadata.uid ?? ''));
});
if (digests.size !== COUNT) throw new Error('two objects of one digest');

const line = (metric: string, value: number): void =>
  report({ bench: 'pipeline', metric, value, unit: 'us CPU', baseline, n: COUNT });
line('values, shape, comparison with the live Secret', compared);
line('values, shape, digest', digested);
