/** UUID: a random UUID (RFC 9562, version 4) in the key `uuid`. */
import { randomUUID } from 'node:crypto';
import { type UuidSpec, uuidSpec } from '../../api/generators/v1alpha1/uuid.ts';
import { SecretValue } from '../../api/secret-value.ts';
import type { Generator } from './contract.ts';

export const uuidGenerator = {
  kind: 'UUID',
  schema: uuidSpec,
  validateSpec: () => [],
  generate: () => new Map([['uuid', SecretValue.fromText(randomUUID())]]),
} satisfies Generator<UuidSpec>;
