/**
 * S75: values, tokens, keys and generated passwords go everywhere that they can go, also where something fails
 * with them in hand, and are then looked for in everything that can be read, with both programs at debug level.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../harness/eventually.ts';
import { scrape } from '../harness/metrics.ts';
import { temporaryDirectory } from '../harness/run-directory.ts';
import { type AwsBed, fromAws, prepareAws, startAwsBed } from './support/aws.ts';
import type { Cluster, Manifest } from './support/cluster.ts';
import {
  enableKubernetesAuth,
  externalSecret,
  prepare,
  readerToken,
  secretStore,
  tokenSecret,
  vaultProvider,
} from './support/vault.ts';

const WHERE = 'sentinel';
const REGION = 'us-west-2';
const WITHIN_MS = 30_000;
const DEBUG = ['--log-level', 'debug'];

/** What must be found nowhere but in Secrets, by where it comes from. */
const SENTINELS: Record<string, string> = {
  'a value of Vault': 'sntnl-vault-value-4d7a [(not-base64!',
  'a value that is no JSON': 'sntnl-json-{"open": 12',
  'a value of AWS': 'sntnl-aws-value-91c3',
  'a value of the fake provider': 'sntnl-fake-value-77e1',
  'a Vault token that is refused': 'hvs.sntnlRefusedToken',
  'a JWT that is refused': 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJzbnRubCJ9.c250bmwtand0',
  'an AWS key id': 'AKIASNTNLKEYID000001',
  'an AWS secret key': 'sntnl/aws/secret/key/20c9',
  'a template that is kept in a Secret': 'sntnlFunctionOfATemplate',
  // In the header of every JWT that Kubernetes or anybody else signs.
  'any JWT': 'eyJhbGciOi',
};

let bed: AwsBed;
let cluster: Cluster;
let auditLog: string;
/** What users were told: answers, refusals, warnings, what kubectl printed. */
const told: string[] = [];

before(async () => {
  const directory = temporaryDirectory('audit');
  auditLog = join(directory, 'audit.log');
  const stores = ['secretstores', 'secretstores/*', 'clustersecretstores'];
  const group = 'external-secrets.io';
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      // The values of provider fake stand in its stores; Secrets and tokens are what they are.
      { level: 'Metadata', resources: [{ group, resources: stores }] },
      { level: 'Metadata', resources: [{ group: '', resources: ['secrets', 'serviceaccounts/token'] }] },
      { level: 'Metadata', resources: [{ group: 'authentication.k8s.io' }] },
      // With bodies: status, events, leases, access reviews, answers of the hooks.
      { level: 'RequestResponse' },
    ],
  };
  writeFileSync(join(directory, 'policy.json'), JSON.stringify(policy));
  bed = await startAwsBed({
    controlPlane: {
      apiServerArgs: [
        `--audit-policy-file=${join(directory, 'policy.json')}`,
        `--audit-log-path=${auditLog}`,
        '--audit-log-mode=blocking-strict',
      ],
    },
    product: { webhookArgs: DEBUG, pollerArgs: DEBUG },
  });
  ({ cluster } = bed);
  SENTINELS['the Vault token of a store'] = await readerToken(bed.openBao);
  const { openBao } = bed;
  await openBao.write('app', { password: sentinel('a value of Vault') });
  await openBao.write('text', { password: sentinel('a value that is no JSON') });
  await prepare(cluster, openBao, WHERE);
  await cluster.remove('Secret', WHERE, 'vault-token');
  await cluster.create(tokenSecret(WHERE, sentinel('the Vault token of a store')));
});
after(() => bed.stop());

function sentinel(name: string): string {
  const value = SENTINELS[name];
  assert.ok(value !== undefined, name);
  return value;
}

/** Creates it, keeps what is said about it, and waits for what comes of it. */
async function tryOut(manifest: Manifest, ready: 'True' | 'False' | 'refused' = 'False'): Promise<void> {
  const { name, namespace: where = '' } = manifest.metadata;
  const { status, body, warnings } = await cluster.attempt(manifest);
  told.push(JSON.stringify(body), ...warnings);
  if (ready === 'refused') {
    assert.ok(status >= 400, `${name} was not refused`);
    return;
  }
  assert.equal(status, 201, `${name}: ${body.message ?? ''}`);
  await eventually(async () => (await cluster.ready('ExternalSecret', where, name))?.status === ready, {
    timeout: WITHIN_MS,
    what: `${name} Ready=${ready}`,
  });
}

/** The sentinel as it is and as it would be found encoded, at whatever place of a longer text. */
function formsOf(value: string): readonly string[] {
  const encoded = [0, 1, 2].map((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(value)]);
    // Without the characters at both ends that its neighbours have a part in.
    return bytes.toString('base64').slice(shift === 0 ? 0 : 4, -4);
  });
  return [value, encodeURIComponent(value), Buffer.from(value).toString('hex'), ...encoded];
}

const rendered = (name: string, template: object, spec: object = {}, metadata: object = {}): Manifest =>
  externalSecret(WHERE, name, { target: { name, template }, ...spec }, metadata);
const FROM_TEXT = { data: [{ secretKey: 'password', remoteRef: { key: 'text', property: 'password' } }] };

describe('what works', () => {
  test('S75 values of Vault, AWS, the fake provider and a generator are in their Secrets', async () => {
    await tryOut(externalSecret(WHERE, 'plain'), 'True');
    await tryOut(rendered('templated', { data: { url: 'x://{{ .password | urlquery }}' } }), 'True');
    const keys = {
      accessKeyId: sentinel('an AWS key id'),
      secretAccessKey: sentinel('an AWS secret key'),
    };
    await prepareAws(cluster, 'sentinel-aws', REGION, keys);
    await bed.aws.put(REGION, 'app', JSON.stringify({ password: sentinel('a value of AWS') }));
    await tryOut(fromAws('sentinel-aws', 'plain'), 'True');
    const data = [{ key: 'app', value: sentinel('a value of the fake provider') }];
    await cluster.create(secretStore(WHERE, 'fake', { provider: { fake: { data } } }));
    const whole = [{ secretKey: 'password', remoteRef: { key: 'app' } }];
    await tryOut(externalSecret(WHERE, 'fake', { secretStoreRef: { name: 'fake' }, data: whole }), 'True');
    await cluster.create({
      apiVersion: 'generators.external-secrets.io/v1alpha1',
      kind: 'Password',
      metadata: { name: 'password', namespace: WHERE },
      spec: { length: 32, symbols: 0 },
    });
    const generatorRef = {
      apiVersion: 'generators.external-secrets.io/v1alpha1',
      kind: 'Password',
      name: 'password',
    };
    const generated = { refreshInterval: '1h', data: [], dataFrom: [{ sourceRef: { generatorRef } }] };
    await tryOut(externalSecret(WHERE, 'generated', generated), 'True');
    for (const [where, name, of] of [
      [WHERE, 'plain', 'a value of Vault'],
      ['sentinel-aws', 'plain', 'a value of AWS'],
      [WHERE, 'fake', 'a value of the fake provider'],
    ] as const)
      assert.deepEqual(await cluster.values(where, name), { password: sentinel(of) });
    const password = (await cluster.values(WHERE, 'generated'))?.['password'] ?? '';
    assert.equal(password.length, 32);
    SENTINELS['a generated password'] = password;
    // The same with a template that fails on what was generated.
    const failing = { target: { template: { data: { a: '{{ .password | fail }}' } } } };
    await tryOut(externalSecret(WHERE, 'generated-fails', { ...generated, ...failing }));
  });

  test('a login with the token of a ServiceAccount', async () => {
    await enableKubernetesAuth(bed, cluster, [{ name: 'reader', serviceAccount: 'app', namespace: WHERE }]);
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'app', namespace: WHERE },
    });
    for (const [name, role, ready] of [
      ['kubernetes', 'reader', 'True'],
      ['kubernetes-refused', 'nobody', 'False'],
    ] as const) {
      const auth = { kubernetes: { mountPath: 'kubernetes', role, serviceAccountRef: { name: 'app' } } };
      await cluster.create(
        secretStore(WHERE, name, { provider: vaultProvider(bed.openBao.address, { auth }) }),
      );
      await tryOut(externalSecret(WHERE, name, { secretStoreRef: { name } }), ready);
    }
  });
});

describe('credentials that are refused', () => {
  before(async () => {
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'wrong', namespace: WHERE },
      stringData: {
        token: sentinel('a Vault token that is refused'),
        jwt: sentinel('a JWT that is refused'),
      },
    });
  });

  for (const [name, auth] of Object.entries({
    token: { tokenSecretRef: { name: 'wrong', key: 'token' } },
    jwt: {
      kubernetes: { mountPath: 'kubernetes', role: 'reader', secretRef: { name: 'wrong', key: 'jwt' } },
    },
  })) {
    test(`by Vault: ${name}`, async () => {
      const provider = vaultProvider(bed.openBao.address, { auth });
      await cluster.create(secretStore(WHERE, `wrong-${name}`, { provider }));
      await tryOut(externalSecret(WHERE, `wrong-${name}`, { secretStoreRef: { name: `wrong-${name}` } }));
    });
  }

  test('by AWS, in an answer that repeats them', async () => {
    const echo = `the key ${sentinel('an AWS key id')} and ${sentinel('an AWS secret key')} are not good`;
    bed.aws.proxy.fault = () => ({ kind: 'error', code: 'UnrecognizedClientException', message: echo });
    await tryOut(fromAws('sentinel-aws', 'refused'));
    const html = `<html>${sentinel('a value of AWS')}</html>`;
    bed.aws.proxy.fault = () => ({ kind: 'raw', status: 502, body: html });
    await tryOut(fromAws('sentinel-aws', 'garbled'));
    bed.aws.proxy.fault = undefined;
  });
});

describe('what fails with a value in hand', () => {
  const TEMPLATES = {
    fail: '{{ .password | fail }}',
    regex: '{{ mustRegexMatch .password "x" }}',
    json: '{{ (fromJson .password).a }}',
    index: '{{ index .password 1000 }}',
    field: '{{ .password.deeper }}',
    pem: '{{ filterPEM .password "x" }}',
    pkcs12: '{{ pkcs12key .password }}',
    jwk: '{{ jwkPublicKeyPem .password }}',
    template: '{{ template "x" }}{{ define "x" }}{{ fail $ }}{{ end }}',
    number: '{{ div 1 (atoi .password) }}',
  };

  test('a template', async () => {
    const attempts = Object.entries(TEMPLATES).map(([name, template]) =>
      tryOut(rendered(`template-${name}`, { data: { a: template } })),
    );
    await Promise.all(attempts);
  });

  test('a template, where the create asks for its Secret at once', async () => {
    const metadata = { annotations: { 'external-secrets-admission.io/require-sync': 'true' } };
    const template = { data: { a: '{{ .password | fail }}' } };
    await tryOut(rendered('required', template, {}, metadata), 'refused');
  });

  test('a label, an annotation and a key that the API server refuses and repeats', async () => {
    await tryOut(rendered('label', { metadata: { labels: { a: '{{ .password }}' } } }));
    const templateFrom = [{ target: 'Data', literal: '{{ .password }}: x' }];
    await tryOut(rendered('literal', { templateFrom }));
    const keys = [{ templateAs: 'KeysAndValues', key: 'a' }];
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'templates', namespace: WHERE },
      data: { a: '"{{ .password }} !": x', b: '{{ .password | fail }}' },
    });
    await tryOut(rendered('key', { templateFrom: [{ configMap: { name: 'templates', items: keys } }] }));
    const fails = [{ configMap: { name: 'templates', items: [{ key: 'b' }] } }];
    await tryOut(rendered('configmap', { templateFrom: fails }));
  });

  test('a template that is itself kept in a Secret', async () => {
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'templates', namespace: WHERE },
      stringData: { a: `{{ ${sentinel('a template that is kept in a Secret')} .password }}` },
    });
    const items = [{ key: 'a' }];
    await tryOut(rendered('secret', { templateFrom: [{ secret: { name: 'templates', items } }] }));
  });

  test('values that cannot be decoded, taken apart or renamed', async () => {
    const remoteRef = { key: 'text', property: 'password' };
    const decoded = { ...remoteRef, decodingStrategy: 'Base64' };
    await tryOut(externalSecret(WHERE, 'decoded', { data: [{ secretKey: 'a', remoteRef: decoded }] }));
    const dataFrom = [{ extract: { key: 'text', property: 'password' } }];
    await tryOut(externalSecret(WHERE, 'extracted', { data: [], dataFrom }));
    const deeper = [{ secretKey: 'a', remoteRef: { key: 'text', property: 'password.deeper.still' } }];
    await tryOut(externalSecret(WHERE, 'deeper', { data: deeper }));
    const target = { template: { data: { a: '{{ (fromJson .password) | toJson | fail }}' } } };
    await tryOut(externalSecret(WHERE, 'text', { ...FROM_TEXT, target }));
  });

  test('a Secret of somebody else in the way', async () => {
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'foreign', namespace: WHERE },
      stringData: { password: sentinel('a value of AWS') },
    });
    await tryOut(externalSecret(WHERE, 'foreign'));
  });
});

test('S75 nothing of it can be read anywhere but in Secrets', async () => {
  const { webhook, poller } = bed.product;
  const body = async (path: string): Promise<string> =>
    JSON.stringify((await bed.cp.request('GET', path)).body);
  const places: Record<string, string> = {
    'what users were told': told.join('\n'),
    'log of the webhook': readFileSync(webhook.log, 'utf8'),
    'log of the poller': readFileSync(poller.log, 'utf8'),
    'metrics of the webhook': await scrape(webhook.metricsUrl),
    'metrics of the poller': await scrape(poller.metricsUrl),
    "the API server's audit log": readFileSync(auditLog, 'utf8'),
    events: (await body('/api/v1/events')) + (await body('/apis/events.k8s.io/v1/events')),
    'kubectl describe': await bed.cp.kubectlOutput(['describe', 'externalsecrets,secrets,events', '-A']),
    leases: await body('/apis/coordination.k8s.io/v1/leases'),
    ConfigMaps: await body('/api/v1/configmaps'),
  };
  for (const version of ['v1', 'v1beta1', 'v1alpha1'])
    places[`ExternalSecrets as ${version}`] = await body(
      `/apis/external-secrets.io/${version}/externalsecrets`,
    );
  type Listed = { items: { metadata: object; status?: object }[] };
  const list = async (path: string): Promise<Listed> => (await bed.cp.request<Listed>('GET', path)).body;
  const stores = await list('/apis/external-secrets.io/v1/secretstores');
  places['status of the stores'] = JSON.stringify(stores.items.map(({ status }) => status));
  const secrets = await list('/api/v1/secrets');
  places['metadata of Secrets'] = JSON.stringify(secrets.items.map(({ metadata }) => metadata));

  assert.ok('a generated password' in SENTINELS);
  const found = Object.entries(SENTINELS).flatMap(([what, value]) =>
    Object.entries(places)
      .filter(([, text]) => formsOf(value).some((form) => text.includes(form)))
      .map(([place, text]) => {
        const form = formsOf(value).find((one) => text.includes(one)) ?? '';
        const at = text.indexOf(form);
        return `${what} in ${place}: ${text.slice(Math.max(0, at - 200), at + 60)}`;
      }),
  );
  assert.deepEqual(found, []);
  for (const [place, text] of Object.entries(places)) assert.ok(text.length > 100, `${place} is empty`);
  const data = JSON.stringify(secrets.items);
  for (const name of ['a value of Vault', 'a value of AWS', 'a generated password'])
    assert.ok(
      formsOf(sentinel(name)).some((form) => data.includes(form)),
      `${name}: the search itself works`,
    );
});
