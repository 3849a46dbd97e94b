/** Fake: the values that stand in its spec. */
import { type FakeSpec, fakeSpec } from '../../api/generators/v1alpha1/fake.ts';
import { SecretValue } from '../../api/secret-value.ts';
import type { Generator } from './contract.ts';

export const fakeGenerator = {
  kind: 'Fake',
  schema: fakeSpec,
  validateSpec: () => [],
  generate: ({ data = {} }) =>
    new Map(Object.entries(data).map(([key, text]) => [key, SecretValue.fromText(text)])),
} satisfies Generator<FakeSpec>;
