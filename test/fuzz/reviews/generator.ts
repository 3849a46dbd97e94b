/** Random and mutated reviews, and mutated bytes of them. */
import type { Random } from '../random.ts';
import { FRAMINGS, type Framing, type HookName, type WireCase } from './case.ts';
import { apiVersionOf, type JsonRecord, Material, SERVED_KINDS, type ServedKind, WHERE } from './material.ts';
import { copy, mutate, oddValue } from './mutations.ts';

const CONVERTED_KINDS = ['ExternalSecret', 'SecretStore', 'ClusterSecretStore'];
const VERSIONS = ['v1', 'v1beta1', 'v1alpha1'];
const CONTENT_TYPES = ['text/plain', 'application/json; charset=utf-16', 'application/yaml', 'x', ''];
const QUERIES = [
  '',
  '?timeout=10s',
  '?timeout=5s',
  '?timeout=0s',
  '?timeout=-1s',
  '?timeout=1e9s',
  '?timeout=10',
  '?timeout=9999999999999999999999999s',
  '?timeout=%ff',
  '?timeout=%',
  '?timeout=1s&timeout=2s',
  '?timeout[a]=1s',
  '?__proto__=1',
  '?',
  '??&&==',
  `?x=${'y'.repeat(4000)}`,
];
const USERS: readonly JsonRecord[] = [
  { username: 'admin', groups: ['system:masters', 'system:authenticated'] },
  { username: 'nobody', groups: ['system:authenticated'], uid: 'x', extra: { scopes: ['a', 'b'] } },
  { username: 'system:serviceaccount:fuzz:x' },
  { username: '' },
  {},
];

export class ReviewGenerator {
  readonly #random: Random;
  readonly #material: Material;
  #serial = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#material = new Material(random);
  }

  next(): WireCase {
    const random = this.#random;
    const hook: HookName = random.pick(['validate', 'validate', 'mutate', 'convert', 'convert']);
    const review = hook === 'convert' ? this.#conversion() : this.#admission();
    const faults = random.pick([0, 1, 1, 1, 2, 3, 5]);
    for (let fault = 0; fault < faults; fault += 1) this.#break(review);
    let text = JSON.stringify(review);
    // A name twice: the last one wins, in Go and here.
    if (random.chance(0.03)) text = text.replace(/"(spec|metadata|request|uid|object)":/, '"$1":null,"$1":');
    const bytes = random.chance(0.08) ? this.#garble(Buffer.from(text)) : undefined;
    return {
      hook,
      query: random.chance(0.7) ? '?timeout=10s' : random.pick(QUERIES),
      framing: this.#framing(),
      headers: { 'content-type': random.chance(0.95) ? 'application/json' : random.pick(CONTENT_TYPES) },
      ...(hook === 'convert' && faults === 0 && bytes === undefined ? { roundTrip: true as const } : {}),
      body: bytes === undefined ? { text } : { base64: bytes.toString('base64') },
    };
  }

  #framing(): Framing {
    return this.#random.chance(0.93) ? 'length' : this.#random.pick(FRAMINGS);
  }

  /** Mostly in the object, where people make mistakes; sometimes in what surrounds it. */
  #break(review: JsonRecord): void {
    const random = this.#random;
    const request = review['request'] as JsonRecord | null | undefined;
    const objects = [request?.['object'], request?.['oldObject'], request?.['objects']].filter(
      (one) => one !== undefined && one !== null,
    );
    const inside = objects.length > 0 && random.chance(0.85);
    mutate(inside ? random.pick(objects) : review, random, this.#material.manifests);
  }

  #uid(): string {
    this.#serial += 1;
    return `00000000-0000-4000-8000-${String(this.#serial).padStart(12, '0')}`;
  }

  #object(kind?: ServedKind): { object: JsonRecord; kind: ServedKind } {
    const random = this.#random;
    if (kind === undefined && random.chance(0.6)) {
      const object = copy(random.pick(this.#material.manifests)) as JsonRecord;
      const known = this.#material.kindOf(object);
      if (known !== undefined) return { object: this.#dress(object), kind: known };
    }
    const chosen = kind ?? random.pick(SERVED_KINDS);
    return { object: this.#dress(this.#material.sample(chosen)), kind: chosen };
  }

  /** As objects arrive in earnest: with what the API server adds, under names that are often taken. */
  #dress(object: JsonRecord): JsonRecord {
    const random = this.#random;
    const metadata = (object['metadata'] ?? {}) as JsonRecord;
    metadata['name'] = random.chance(0.95) ? `app-${random.below(200)}` : oddValue(random);
    if ('namespace' in metadata) metadata['namespace'] = WHERE;
    if (random.chance(0.05)) {
      delete metadata['name'];
      metadata['generateName'] = 'app-';
    }
    if (random.chance(0.4)) {
      Object.assign(metadata, {
        uid: 'd1b2c3',
        creationTimestamp: '2026-11-22T10:00:00Z',
        generation: 2,
        managedFields: [{ manager: 'kubectl', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:data': {} } } }],
      });
    }
    if (random.chance(0.02)) metadata['deletionTimestamp'] = '2026-11-22T10:00:00Z';
    object['metadata'] = metadata;
    return object;
  }

  #admission(): JsonRecord {
    const random = this.#random;
    const { object, kind } = this.#object();
    const operation = random.pick(['CREATE', 'CREATE', 'CREATE', 'UPDATE', 'UPDATE', 'DELETE', 'CONNECT']);
    const old = random.chance(0.7) ? (copy(object) as JsonRecord) : this.#object(kind).object;
    if (operation === 'UPDATE' && random.chance(0.8)) {
      mutate(random.chance(0.5) ? old : object, random, this.#material.manifests);
    }
    const { group, version, plural } = kind;
    const metadata = object['metadata'] as JsonRecord | null | undefined;
    return {
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: {
        uid: this.#uid(),
        kind: { group, version, kind: kind.kind },
        resource: { group, version, resource: plural },
        requestKind: { group, version, kind: kind.kind },
        requestResource: { group, version, resource: plural },
        name: metadata?.['name'] ?? '',
        ...(kind.namespaced ? { namespace: WHERE } : {}),
        operation,
        userInfo: copy(random.pick(USERS)),
        object: operation === 'DELETE' ? null : object,
        oldObject: operation === 'UPDATE' || operation === 'DELETE' ? old : null,
        dryRun: random.chance(0.2),
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'fuzz' },
      },
    };
  }

  #conversion(): JsonRecord {
    const random = this.#random;
    const kinds = SERVED_KINDS.filter(({ kind }) => CONVERTED_KINDS.includes(kind));
    // The API server asks for objects of one kind and version at a time.
    const kind = random.pick(kinds);
    const count = random.pick([0, 1, 1, 1, 2, 5, 40]);
    const fitting = this.#material.manifests.filter(
      (object) => object['kind'] === kind.kind && object['apiVersion'] === apiVersionOf(kind),
    );
    const objects = Array.from({ length: count }, () => {
      const written = fitting.length > 0 && random.chance(0.5);
      return this.#dress(written ? (copy(random.pick(fitting)) as JsonRecord) : this.#material.sample(kind));
    });
    return {
      kind: 'ConversionReview',
      apiVersion: 'apiextensions.k8s.io/v1',
      request: {
        uid: this.#uid(),
        desiredAPIVersion: `${kind.group}/${random.pick(VERSIONS)}`,
        objects,
      },
    };
  }

  #garble(bytes: Buffer): Buffer {
    const random = this.#random;
    const at = random.below(bytes.length + 1);
    switch (random.below(6)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return Buffer.concat([bytes.subarray(0, at), Buffer.from([0xc3, 0x28, 0xff]), bytes.subarray(at)]);
      case 2:
        return Buffer.concat([bytes, bytes.subarray(at)]);
      case 3:
        return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
      case 4: {
        const flipped = Buffer.from(bytes);
        for (let flips = 0; flips <= random.below(8); flips += 1) {
          const place = random.below(flipped.length);
          flipped[place] = random.below(256);
        }
        return flipped;
      }
      default:
        return Buffer.from(
          random.pick(['', 'null', '[]', '0', '"x"', '{}', '\u0000', bytes.toString('utf16le')]),
        );
    }
  }
}
