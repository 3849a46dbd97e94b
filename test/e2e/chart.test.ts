/** What the chart renders; no cluster is needed for it. chart-rights.test.ts is about roles. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { readValues, renderValuesSchema } from '../../deploy/chart-values.ts';
import { readChartValues, renderCrds } from '../../deploy/generate.ts';
import { runCommand } from '../harness/command.ts';
import { CHART, helmOutput } from '../harness/helm.ts';
import { podOf, RELEASE, type Rendered, refusal, render, renderRest, VALUE_FILES } from './support/chart.ts';

const byName = (a: Rendered, b: Rendered): number => (a.metadata.name < b.metadata.name ? -1 : 1);

test('the chart has the version of the product', () => {
  const { version } = JSON.parse(readFileSync(join(CHART, '../../package.json'), 'utf8')) as {
    version: string;
  };
  const chart = readFileSync(join(CHART, 'Chart.yaml'), 'utf8');
  assert.match(chart, new RegExp(`^version: ${version}$`, 'm'));
  assert.match(chart, new RegExp(`^appVersion: ${version}$`, 'm'));
});

describe('helm lint --strict', () => {
  for (const file of [undefined, ...VALUE_FILES]) {
    test(file ?? 'no values', async () => {
      const values =
        file === undefined ? [] : ['--values', join(CHART, 'ci', file), '--set', 'installCRDs=false'];
      await helmOutput(['lint', '--strict', '--quiet', CHART, ...values]);
    });
  }
});

describe('CRDs', () => {
  test('are those of deploy/crds, kept at an uninstall, and call the Service of the release', async () => {
    const crds = (await render({ release: 'mine', namespace: 'there' }))
      .filter(({ kind }) => kind === 'CustomResourceDefinition')
      .toSorted(byName);
    const wanted = [...renderCrds().values()]
      .map((text) => parseAllDocuments(text)[0]?.toJS() as Rendered)
      .toSorted(byName);
    assert.equal(crds.length, wanted.length);
    for (const [index, { metadata, spec }] of crds.entries()) {
      const original = wanted[index];
      assert.equal(metadata.name, original?.metadata.name);
      assert.equal(metadata.annotations?.['helm.sh/resource-policy'], 'keep');
      const { conversion, ...rest } = spec ?? {};
      const { conversion: before, ...others } = original?.spec ?? {};
      assert.deepEqual(rest, others, metadata.name);
      assert.equal(conversion?.strategy, before?.strategy);
      const service = conversion?.webhook?.clientConfig.service;
      if (service === undefined) continue;
      assert.deepEqual(
        [service['namespace'], service['name'], service['port']],
        ['there', 'mine-external-secrets-admission-webhook', 443],
      );
    }
  });

  test('come and go by values, and convert nothing without a webhook', async () => {
    const values = {
      webhook: { create: false },
      kes: { enabled: true },
      crds: { createClusterGenerator: false },
      processClusterGenerator: false,
    };
    const manifests = await render({ values });
    const names = new Set(manifests.map(({ metadata }) => metadata.name));
    assert.ok(names.has('externalsecrets.kubernetes-client.io'));
    assert.ok(!names.has('clustergenerators.generators.external-secrets.io'));
    for (const { spec } of manifests.filter(({ kind }) => kind === 'CustomResourceDefinition'))
      assert.deepEqual(spec?.conversion ?? { strategy: 'None' }, { strategy: 'None' });
    assert.ok(!manifests.some(({ kind }) => kind.endsWith('WebhookConfiguration')));
    assert.match(await refusal({ crds: { createClusterGenerator: false } }), /processClusterGenerator/);
  });
});

describe('values', () => {
  test('a mistyped one is refused', async () => {
    assert.match(await refusal({ replicaCout: 2 }), /replicaCout/);
    assert.match(await refusal({ webhook: { failurePolicy: 'Never' } }), /failurePolicy/);
  });

  test('each of the schema is in some template', async () => {
    const { values } = await readChartValues();
    const templates = readdirSync(join(CHART, 'templates'))
      .map((file) => readFileSync(join(CHART, 'templates', file), 'utf8'))
      .join('\n');
    // Maps that go into the manifests as they are.
    const whole =
      /^(webhook\.)?(securityContext|livenessProbe\.spec|readinessProbe\.spec|resources)\b|issuerRef\./;
    const unused = values.filter(
      ({ path }) =>
        !whole.test(path) &&
        !new RegExp(`\\.${path.split('.').at(-1)}\\b|"${path.split('.').at(-1)}"`).test(templates),
    );
    assert.deepEqual(
      unused.map(({ path }) => path),
      [],
    );
  });

  test('what External Secrets Operator has and we cannot do is refused with the reason, all at once', async () => {
    const answer = await refusal({
      installCRDs: false,
      processPushSecret: true,
      genericTargets: { enabled: true },
      image: { repository: 'ghcr.io/external-secrets/external-secrets' },
      certController: { create: true },
    });
    assert.match(answer, /processPushSecret: PushSecrets are not supported/);
    assert.match(answer, /genericTargets\.enabled: only Secrets/);
    assert.match(answer, /image\.repository: this is the image of External Secrets Operator/);
    assert.doesNotMatch(answer, /certController/);
  });

  test('every flag that is rendered is one of the program', async () => {
    const known = new Map<string, Set<string>>();
    for (const program of ['webhook', 'poller']) {
      const { stdout } = await runCommand(process.execPath, [
        join(CHART, '../..', program, 'main.mjs'),
        '--help',
      ]);
      known.set(program, new Set([...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag = '']) => flag)));
    }
    for (const file of VALUE_FILES) {
      const manifests = await renderRest({ file });
      for (const { spec } of manifests.filter(({ kind }) => kind === 'Deployment')) {
        const [program = '', ...flags] = spec?.template?.spec.containers[0].args ?? [];
        const unknown = flags
          .map((flag) => flag.split('=')[0] ?? '')
          .filter((flag) => !known.get(program)?.has(flag));
        assert.deepEqual(unknown, [], `${file}: ${program}`);
      }
    }
  });
});

describe('a values file for the chart of External Secrets Operator', () => {
  test('means the same here', async () => {
    const manifests = await renderRest({ file: 'eso-values.yaml' });
    const poller = podOf(manifests, 'poller');
    const webhook = podOf(manifests, 'webhook');
    assert.equal(poller.serviceAccountName, 'external-secrets');
    const account = manifests.find(
      ({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === 'external-secrets',
    );
    assert.match(account?.metadata.annotations?.['eks.amazonaws.com/role-arn'] ?? '', /^arn:aws:iam/);
    const [container] = poller.containers;
    assert.equal(container.image, 'registry.example.com/mirror/external-secrets-admission:0.1.0');
    assert.deepEqual(container.env, [{ name: 'AWS_REGION', value: 'eu-central-1' }]);
    for (const flag of ['--workers=5', '--log-level=debug', '--store-rate-limit=50'])
      assert.ok(container.args.includes(flag), flag);
    assert.ok(webhook.containers[0].args.includes('--port=9443'));
    assert.deepEqual(container.livenessProbe?.httpGet, { path: '/healthz', port: 'metrics' });
    assert.ok(poller.topologySpreadConstraints?.every(({ labelSelector }) => labelSelector !== undefined));
    const budgets = manifests.filter(({ kind }) => kind === 'PodDisruptionBudget');
    assert.deepEqual(
      budgets.map(({ spec }) => spec?.['minAvailable']).toSorted((a, b) => Number(a) - Number(b)),
      [1, 2],
    );
    assert.ok(manifests.some(({ metadata }) => metadata.name === `${RELEASE}-more`));
  });
});

test('every Pod fits PodSecurity restricted, and a new one is ready before an old one goes', async () => {
  const manifests = await renderRest();
  for (const program of ['webhook', 'poller']) {
    const { readOnlyRootFilesystem, runAsNonRoot, allowPrivilegeEscalation, capabilities, seccompProfile } =
      podOf(manifests, program).containers[0].securityContext ?? {};
    assert.deepEqual(
      { readOnlyRootFilesystem, runAsNonRoot, allowPrivilegeEscalation, capabilities, seccompProfile },
      {
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      },
    );
  }
  for (const { spec } of manifests.filter(({ kind }) => kind === 'Deployment')) {
    assert.deepEqual(spec?.strategy, {
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
    });
  }
});

test('OpenShift gives the user, hostNetwork the ports, cert-manager the certificate', async () => {
  const manifests = await renderRest({ file: 'own-ca-values.yaml' });
  const { hostNetwork, containers } = podOf(manifests, 'webhook');
  assert.equal(hostNetwork, true);
  const [{ securityContext, args, ports }] = containers;
  assert.equal(securityContext?.['runAsUser'], undefined);
  assert.equal(securityContext?.['runAsNonRoot'], true);
  assert.deepEqual(
    ports.map(({ containerPort }) => containerPort),
    [9443, 9402],
  );
  assert.ok(args.includes('--tls-cert-file=/tls/tls.crt'));
  assert.ok(args.includes('--authorize-callers=off'));
  assert.ok(!args.some((flag) => flag.startsWith('--ca-lifetime')));
  const injected = manifests.filter(
    ({ metadata }) => metadata.annotations?.['cert-manager.io/inject-ca-from'] !== undefined,
  );
  assert.deepEqual(
    injected.map(({ kind }) => kind).toSorted((a, b) => (a < b ? -1 : 1)),
    ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'],
  );
});

test('caBundle and path are left to the webhook', async () => {
  for (const { webhooks = [] } of await renderRest({ file: 'everything-values.yaml' })) {
    for (const { clientConfig } of webhooks) {
      assert.deepEqual(Object.keys(clientConfig), ['service']);
      assert.deepEqual(Object.keys(clientConfig.service), ['namespace', 'name', 'port']);
    }
  }
});

describe('the schema', () => {
  test('tells types by the defaults, and takes hints', () => {
    const entries = readValues(
      [
        '# -- How many.',
        '# @schema {"minimum": 0}',
        'count: 1',
        'inner:',
        '  # -- Any.',
        '  map: {}',
        '',
      ].join('\n'),
    );
    const schema = JSON.parse(
      renderValuesSchema(entries, [{ path: 'other.thing', text: 'means nothing' }]),
    ) as Record<string, unknown>;
    assert.deepEqual(schema['properties'], {
      count: { description: 'How many.', type: 'integer', minimum: 0 },
      inner: {
        type: 'object',
        additionalProperties: false,
        properties: { map: { description: 'Any.', type: 'object' } },
      },
      other: {
        type: 'object',
        additionalProperties: false,
        properties: { thing: { description: 'External Secrets Operator’s: means nothing' } },
      },
    });
  });

  test('a value without a description is a mistake', () => {
    assert.throws(() => readValues('count: 1\n'), /count has no description/);
  });
});
