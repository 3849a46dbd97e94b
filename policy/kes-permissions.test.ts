import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readKesEnvironment } from '../api/kubernetes-client/environment.ts';
import type { KesSpec } from '../api/kubernetes-client/v1/external-secret.ts';
import { forbiddenIn } from './kes-permissions.ts';

const ROLE = 'iam.amazonaws.com/permitted';
const NAMING = 'externalsecrets.kubernetes-client.io/permitted-key-name';
const settings = { serviceAccount: { namespace: 's', name: 'a' }, vaultAudience: undefined };
const free = readKesEnvironment({}, settings);
const enforced = readKesEnvironment({ ENFORCE_NAMESPACE_ANNOTATIONS: 'true' }, settings);

type Spec = Partial<KesSpec>;
type Annotations = Readonly<Record<string, string>>;
const reasons = (spec: Spec, annotations: Annotations, environment = free): string[] =>
  forbiddenIn(
    { namespace: 'ns', name: 'app', spec: { backendType: 'secretsManager', ...spec } },
    annotations,
    environment,
  ).map(({ message }) => message.replace('not allowed to fetch secret: ns/app: ', ''));

describe('K30 the role', () => {
  const arn = 'arn:aws:iam::123456789012:role/shop/app';
  const rows: readonly (readonly [string, Spec, Annotations, boolean])[] = [
    ['no annotations', { roleArn: arn }, {}, true],
    ['an empty one', { roleArn: arn }, { [ROLE]: '' }, true],
    ['.*', { roleArn: arn }, { [ROLE]: '.*' }, true],
    ['^$', { roleArn: arn }, { [ROLE]: '^$' }, false],
    ['the beginning of an ARN', { roleArn: arn }, { [ROLE]: 'arn:aws:iam::123456789012:role/shop/.*' }, true],
    ['no role', {}, { [ROLE]: '^$' }, true],
    ['a role of Vault', { vaultRole: 'app' }, { [ROLE]: 'app|web' }, true],
    ['another role of Vault', { vaultRole: 'app' }, { [ROLE]: 'web' }, false],
    // A permitted role that the backend does not look at covers for none.
    ['one of two', { backendType: 'vault', roleArn: arn, vaultRole: 'app' }, { [ROLE]: 'arn:.*' }, false],
    // Here KES would let it pass: an expression is about the whole role.
    ['a part of the role', { roleArn: arn }, { [ROLE]: 'shop' }, false],
  ];
  for (const [name, spec, annotations, permitted] of rows)
    test(name, () => assert.equal(reasons(spec, annotations).length === 0, permitted));

  test('K26 K84 K89 in these words', () => {
    assert.deepEqual(
      forbiddenIn(
        { namespace: 'ns', name: 'app', spec: { backendType: 'systemManager', roleArn: arn } },
        { [ROLE]: '^$' },
        free,
      ).map(({ message, path }) => [path.join('.'), message]),
      [
        [
          'spec.roleArn',
          `not allowed to fetch secret: ns/app: namespace does not allow to assume role ${arn}`,
        ],
      ],
    );
  });
});

describe('K31 the names', () => {
  const dev = { [NAMING]: '/dev/team-a/.*' };
  const data = (...keys: string[]): Spec => ({ data: keys.map((key) => ({ key, name: 'a' })) });
  const path = (...paths: string[]): Spec => ({ data: paths.map((one) => ({ path: one })) });
  const rows: readonly (readonly [string, Spec, Annotations, boolean])[] = [
    ['no annotations', data('/prod/x'), {}, true],
    ['an empty one', data('/prod/x'), { [NAMING]: '' }, true],
    ['.*', data('/prod/x'), { [NAMING]: '.*' }, true],
    ['nothing that is read', {}, dev, true],
    ['a key that matches', data('/dev/team-a/x'), dev, true],
    ['one that does not', data('/dev/team-b/x'), dev, false],
    ['one of two', data('/dev/team-a/x', '/dev/team-b/x'), dev, false],
    ['both', data('/dev/team-a/x', '/dev/team-a/y'), dev, true],
    ['a path that matches', path('/dev/team-a/x'), dev, true],
    ['one that does not', path('/dev/team-b/x'), dev, false],
    ['key right and path wrong', { data: [{ key: '/dev/team-a/x', path: '/x', name: 'a' }] }, dev, false],
    ['an empty path beside a key', { data: [{ key: '/dev/team-a/x', path: '', name: 'a' }] }, dev, false],
    ['dataFrom that matches', { dataFrom: ['/dev/team-a/x'] }, dev, true],
    ['one that does not', { dataFrom: ['/dev/team-b/x'] }, dev, false],
    ['data wrong, dataFrom right', { ...data('/x'), dataFrom: ['/dev/team-a/x'] }, dev, false],
    ['data right, dataFrom wrong', { ...data('/dev/team-a/x'), dataFrom: ['/x'] }, dev, false],
    ['both right', { ...data('/dev/team-a/x'), dataFrom: ['/dev/team-a/y'] }, dev, true],
    ['a list of expressions', data('/b/x'), { [NAMING]: '["/a/.*", "/b/.*"]' }, true],
    ['none of a list', data('/c/x'), { [NAMING]: '["/a/.*", "/b/.*"]' }, false],
    [
      'names right, roleArn wrong',
      { ...data('/dev/team-a/x'), roleArn: 'r' },
      { ...dev, [ROLE]: '^$' },
      false,
    ],
    [
      'names right, vaultRole wrong',
      { ...data('/dev/team-a/x'), vaultRole: 'r' },
      { ...dev, [ROLE]: '^$' },
      false,
    ],
    ['names and role right', { ...data('/dev/team-a/x'), vaultRole: 'r' }, { ...dev, [ROLE]: 'r' }, true],
    // KES does not look at these.
    ['dataFromWithOptions that matches', { dataFromWithOptions: [{ key: '/dev/team-a/x' }] }, dev, true],
    ['one that does not', { dataFromWithOptions: [{ key: '/dev/team-b/x' }] }, dev, false],
    // KES looks for the expression anywhere in the key.
    ['a match within the key', data('evil/dev/team-a/x'), dev, false],
    ['a beginning alone', data('/dev/team-a/x'), { [NAMING]: '^/dev/' }, false],
    ['alternatives are about the whole key, too', data('ab'), { [NAMING]: 'a|b' }, false],
  ];
  for (const [name, spec, annotations, permitted] of rows)
    test(name, () => assert.equal(reasons(spec, annotations).length === 0, permitted));

  test('K85 in these words', () => {
    assert.deepEqual(reasons(data('/x'), dev), [
      'key name /x does not match naming convention /dev/team-a/.*',
    ]);
    assert.deepEqual(reasons(path('/x'), dev), ['path /x does not match naming convention /dev/team-a/.*']);
  });

  test('an expression that cannot be one permits nothing, and says why', () => {
    for (const bad of ['(', 'a)|(b', '(?=x)']) {
      const [reason = ''] = reasons(data('/x'), { [NAMING]: bad });
      assert.match(reason, /permitted-key-name of the namespace is not a regular expression \(RE2\)/, bad);
    }
  });
});

describe('K32 annotations that are required', () => {
  const spec: Spec = { data: [{ key: 'a', name: 'a' }], vaultRole: 'r' };
  const rows: readonly (readonly [string, Spec, Annotations, readonly string[]])[] = [
    ['none at all', spec, {}, ['Namespace annotation is required']],
    ['no naming', spec, { [ROLE]: 'r' }, [`Missing required annotation ${NAMING}`]],
    ['an empty naming', spec, { [ROLE]: 'r', [NAMING]: '' }, [`Missing required annotation ${NAMING}`]],
    ['no role', spec, { [NAMING]: 'a' }, [`Missing required annotation ${ROLE}`]],
    ['an empty role', spec, { [NAMING]: 'a', [ROLE]: '' }, [`Missing required annotation ${ROLE}`]],
    ['no role is used', { data: spec.data }, { [NAMING]: 'a' }, []],
    ['both', spec, { [NAMING]: 'a', [ROLE]: 'r' }, []],
  ];
  for (const [name, one, annotations, expected] of rows)
    test(name, () => assert.deepEqual(reasons(one, annotations, enforced), expected));

  test('other names of the annotations, and "false" is false', () => {
    const environment = readKesEnvironment(
      {
        NAMING_PERMITTED_ANNOTATION: 'n',
        ROLE_PERMITTED_ANNOTATION: 'r',
        ENFORCE_NAMESPACE_ANNOTATIONS: 'false',
      },
      settings,
    );
    assert.deepEqual(reasons(spec, {}, environment), []);
    assert.equal(reasons(spec, { n: 'b', r: 'q' }, environment).length, 2);
  });
});
