/** What the chart renders; no cluster is needed for it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { readValues, renderValuesSchema } from '../../deploy/chart-values.ts';
import { readChartValues, renderCrds } from '../../deploy/generate.ts';
import { runCommand } from '../harness/command.ts';
import { CHART, helm, helmOutput } from '../harness/helm.ts';

const RELEASE = 'external-secrets';
const NAMESPACE = 'external-secrets-system';
const VALUE_FILES = readdirSync(join(CHART, 'ci'));

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly containerPort: number }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly livenessProbe?: { readonly httpGet: object };
}
interface PodSpec {
  readonly serviceAccountName: string;
  readonly containers: readonly [Container];
  readonly hostNetwork?: boolean;
  readonly topologySpreadConstraints?: readonly { readonly labelSelector?: object }[];
}
interface Rendered {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly rules?: readonly Rule[];
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: { readonly service: object; readonly caBundle?: string };
    readonly namespaceSelector?: { readonly matchExpressions: readonly object[] };
  }[];
  readonly spec?: {
    readonly conversion?: {
      readonly strategy: string;
      readonly webhook?: { readonly clientConfig: { readonly service: Readonly<Record<string, unknown>> } };
    };
    readonly replicas?: number;
    readonly strategy?: object;
    readonly template?: { readonly spec: PodSpec };
    readonly [key: string]: unknown;
  };
}

interface Options {
  readonly release?: string;
  readonly namespace?: string;
  readonly values?: object;
  readonly file?: string;
}

async function render({
  release = RELEASE,
  namespace = NAMESPACE,
  values = {},
  file,
}: Options = {}): Promise<Rendered[]> {
  const files = file === undefined ? [] : ['--values', join(CHART, 'ci', file)];
  const text = await helmOutput(['template', release, CHART, '--namespace', namespace, ...files], { values });
  return parseAllDocuments(text)
    .map((document) => document.toJS({ maxAliasCount: -1 }) as Rendered | null)
    .filter((manifest) => manifest !== null);
}

/** Without CRDs, which take most of the time. */
const renderRest = (options: Options = {}): Promise<Rendered[]> =>
  render({ ...options, values: { installCRDs: false, ...options.values } });

function podOf(manifests: readonly Rendered[], program: string): PodSpec {
  const found = manifests.find(
    ({ kind, metadata }) =>
      kind === 'Deployment' && metadata.labels?.['app.kubernetes.io/component'] === program,
  );
  assert.ok(found?.spec?.template, program);
  return found.spec.template.spec;
}

async function refusal(values: object): Promise<string> {
  const { code, stderr } = await helm(['template', RELEASE, CHART, '--namespace', NAMESPACE], { values });
  assert.notEqual(code, 0);
  return stderr;
}

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

describe('least privilege', () => {
  const clusterRules = (manifests: readonly Rendered[]): readonly Rule[] =>
    manifests
      .filter(
        ({ kind, metadata }) =>
          kind === 'ClusterRole' && metadata.labels?.['app.kubernetes.io/component'] !== undefined,
      )
      .flatMap(({ rules = [] }) => rules);

  test('with scopedRBAC no ClusterRole is about Secrets, and all else stays in the namespace', async () => {
    const manifests = await renderRest({ file: 'scoped-values.yaml' });
    const resources = new Set(clusterRules(manifests).flatMap((rule) => rule.resources));
    assert.deepEqual(
      [...resources].toSorted((a, b) => (a < b ? -1 : 1)),
      [
        'clustersecretpolicies',
        'mutatingwebhookconfigurations',
        'namespaces',
        'subjectaccessreviews',
        'validatingwebhookconfigurations',
      ],
    );
    const scoped = manifests.filter(
      ({ kind, metadata }) => kind === 'Role' && metadata.namespace === 'team-a',
    );
    assert.equal(scoped.length, 2);
    for (const program of ['webhook', 'poller'])
      assert.ok(podOf(manifests, program).containers[0].args.includes('--scoped-namespace=team-a'));
    const hooks = manifests.flatMap(({ webhooks = [] }) => webhooks);
    assert.ok(hooks.length > 0);
    for (const { namespaceSelector, name } of hooks) {
      assert.deepEqual(
        namespaceSelector?.matchExpressions[0],
        { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['team-a'] },
        name,
      );
    }
    assert.match(await refusal({ scopedRBAC: true }), /needs scopedNamespace/);
  });

  test('rights on kinds that are not used are not there, nor are their hooks', async () => {
    const manifests = await renderRest({ file: 'namespaced-store-values.yaml' });
    const resources = clusterRules(manifests).flatMap((rule) => rule.resources);
    for (const unwanted of [/^cluster(secretstores|externalsecrets|generators)/, /serviceaccounts\/token/])
      assert.ok(!resources.some((one) => unwanted.test(one)), String(unwanted));
    assert.ok(!clusterRules(manifests).some(({ apiGroups }) => apiGroups.includes('kubernetes-client.io')));
    const hooks = manifests.flatMap(({ webhooks = [] }) => webhooks.map(({ name }) => name));
    assert.ok(hooks.length > 4);
    assert.ok(
      !hooks.some((name) =>
        /clustersecretstore|clusterexternalsecret|clustergenerator|kubernetes-client/.test(name),
      ),
    );
  });

  test('nobody may read all Secrets of the cluster but the two programs', async () => {
    for (const { kind, metadata, rules = [] } of await renderRest({ file: 'everything-values.yaml' })) {
      if (!kind.endsWith('Role')) continue;
      const reads = rules.some(
        ({ resources, resourceNames }) => resources.includes('secrets') && !resourceNames,
      );
      const isProgram = metadata.labels?.['app.kubernetes.io/component'] !== undefined;
      assert.ok(!reads || isProgram, metadata.name);
    }
  });
});

test('two releases have no object of the cluster in common', async () => {
  const values = { crds: { conversion: { enabled: false } } };
  const names = async (release: string): Promise<string[]> =>
    (await renderRest({ release, namespace: release, values }))
      .filter(({ metadata }) => metadata.namespace === undefined)
      .map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  const [one, two] = await Promise.all([names('team-a'), names('team-b')]);
  assert.ok(one.length > 5);
  assert.deepEqual(
    one.filter((name) => two.includes(name)),
    [],
  );
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
