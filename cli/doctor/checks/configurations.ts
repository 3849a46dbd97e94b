/** The webhook configurations: registered, as shipped, once, and nobody else's. */
import { plural } from '../../findings.ts';
import { applyManifests } from '../commands.ts';
import {
  type ExpectedHook,
  MATERIALIZE,
  MUTATING_HOOKS,
  OPTIONAL_HOOKS,
  POLICY_HOOK,
  VALIDATING_HOOKS,
} from '../expected-hooks.ts';
import { type CheckResult, type Finding, few, finding } from '../finding.ts';
import { isServed, MUTATING_PREFIX } from '../install.ts';
import type { ClusterState, Configuration, Definition, Hook, Install } from '../state.ts';

const NAMESPACE_NAME = 'kubernetes.io/metadata.name';
const SUSPEND = 'external-secrets-admission.io/suspend';
const CLUSTER_STORES = 'clustersecretstores.external-secrets.io';
/** Those of External Secrets Operator 2.9, by name. */
const ESO_NAMES: ReadonlySet<string> = new Set(['externalsecret-validate', 'secretstore-validate']);

const place = ({ kind, metadata }: Configuration): string => `${kind} ${metadata.name}`;

/** Says what of a selector keeps objects from being looked at that should be; undefined: nothing. */
function selectorProblem({ namespaceSelector = {} }: Hook, install: Install): string | undefined {
  const { matchLabels = {}, matchExpressions = [] } = namespaceSelector;
  const labels = Object.keys(matchLabels).filter(
    (key) => !(key === NAMESPACE_NAME && matchLabels[key] === install.scope),
  );
  if (labels.length > 0) return `namespaces without the label ${labels.join(', ')} are left out`;
  for (const { key, operator, values = [] } of matchExpressions) {
    if (key === SUSPEND && operator === 'DoesNotExist') continue;
    if (key === NAMESPACE_NAME && operator === 'In' && values.includes(install.scope ?? '')) continue;
    if (key === NAMESPACE_NAME && operator === 'NotIn') {
      const others = values.filter((value) => value !== 'kube-system' && value !== install.namespace);
      if (others.length === 0) continue;
      return `namespace ${few(others)} is left out`;
    }
    return `namespaces are chosen by ${key} (${operator}${values.length === 0 ? '' : ` ${few(values)}`})`;
  }
  return undefined;
}

function hookProblems(live: Hook, expected: ExpectedHook, install: Install): readonly string[] {
  const problems: string[] = [];
  const policy = live.failurePolicy ?? 'Fail';
  if (policy !== expected.failurePolicy)
    problems.push(`failurePolicy is ${policy}, it is shipped with ${expected.failurePolicy}`);
  const selector = selectorProblem(live, install);
  if (selector !== undefined) problems.push(selector);
  const { matchLabels = {}, matchExpressions = [] } = live.objectSelector ?? {};
  if (Object.keys(matchLabels).length + matchExpressions.length > 0)
    problems.push('objects are chosen by an objectSelector');
  const covered = new Set(
    (live.rules ?? []).flatMap(({ apiGroups, resources, operations }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => operations.map((operation) => `${operation} ${resource}.${group}`)),
      ),
    ),
  );
  const lacking = expected.resources.flatMap((resource) =>
    expected.operations
      .map((operation) => `${operation} ${resource}`)
      .filter(
        (one) =>
          !covered.has(one) &&
          !covered.has(one.replace(/^\w+/, '*')) &&
          !resource.endsWith('kubernetes-client.io') &&
          (resource !== CLUSTER_STORES || isServed(install, 'process-cluster-store')),
      ),
  );
  if (lacking.length > 0) problems.push(`${few(lacking)} is not covered`);
  return problems;
}

function ownFindings(
  live: Configuration,
  expected: Readonly<Record<string, ExpectedHook>>,
  install: Install,
): readonly Finding[] {
  const hooks = new Map((live.webhooks ?? []).map((hook) => [hook.name, hook]));
  const commands = [applyManifests(install)];
  // One that serves a namespace leaves what is of the whole cluster to another.
  const isOptional = (name: string): boolean =>
    OPTIONAL_HOOKS.has(name) || (install.scope !== undefined && name === POLICY_HOOK);
  const missing = Object.keys(expected).filter((name) => !hooks.has(name) && !isOptional(name));
  const findings: Finding[] = [];
  if (missing.length > 0) {
    const what = `It lacks ${plural(missing.length, 'hook')}: ${few(missing)}.`;
    findings.push(finding('webhook-configuration-missing', { where: place(live), what, commands }));
  }
  for (const [name, wanted] of Object.entries(expected)) {
    const hook = hooks.get(name);
    const problems = hook === undefined ? [] : hookProblems(hook, wanted, install);
    if (problems.length === 0) continue;
    const what = `${name}: ${problems.join('; ')}.`;
    // What others have added an apply leaves in place.
    const anew = [`kubectl delete ${live.kind.toLowerCase()} ${live.metadata.name}`, ...commands];
    findings.push(finding('webhook-configuration-edited', { where: place(live), what, commands: anew }));
  }
  return findings;
}

/** Not a fault where it is meant so: the poller alone, and v1 only. */
const isWithoutWebhook = (definitions: readonly Definition[]): boolean =>
  definitions.every(({ spec }) => spec.conversion?.strategy !== 'Webhook');

function registered(
  configurations: readonly Configuration[],
  definitions: readonly Definition[],
  install: Install,
): readonly Finding[] {
  const find = (kind: Configuration['kind'], name: string) =>
    configurations.find((one) => one.kind === kind && one.metadata.name === name);
  const validating = find('ValidatingWebhookConfiguration', install.configuration);
  const mutating = find('MutatingWebhookConfiguration', `${MUTATING_PREFIX}${install.configuration}`);
  const commands = [applyManifests(install)];
  if (validating === undefined && mutating === undefined && isWithoutWebhook(definitions)) {
    const what = 'None is registered, and no CRD is converted: the poller works alone, for objects of v1.';
    const where = `ValidatingWebhookConfiguration ${install.configuration}`;
    return [finding('webhook-configuration-missing', { where, what, commands, severity: 'note' })];
  }
  const inValidating = validating?.webhooks?.some(({ name }) => name === MATERIALIZE) ?? false;
  const findings: Finding[] = [];
  if (validating === undefined) {
    const where = `ValidatingWebhookConfiguration ${install.configuration}`;
    const what = 'It is not registered: objects are not checked when they are applied.';
    findings.push(finding('webhook-configuration-missing', { where, what, commands }));
  } else {
    const expected = inValidating ? { ...VALIDATING_HOOKS, ...MUTATING_HOOKS } : VALIDATING_HOOKS;
    findings.push(...ownFindings(validating, expected, install));
  }
  if (mutating !== undefined && !inValidating)
    findings.push(...ownFindings(mutating, MUTATING_HOOKS, install));
  if (mutating === undefined && !inValidating) {
    const where = `MutatingWebhookConfiguration ${MUTATING_PREFIX}${install.configuration}`;
    const what = 'It is not registered: Secrets are made by the poller, after the create has returned.';
    findings.push(finding('webhook-configuration-missing', { where, what, commands }));
  }
  if (mutating !== undefined && inValidating)
    findings.push(
      finding('webhook-duplicate', {
        where: place(mutating),
        what: `Secrets are made in the validating phase (${install.configuration}); this one is left over.`,
        commands: [`kubectl delete mutatingwebhookconfiguration ${mutating.metadata.name}`],
      }),
    );
  return findings;
}

/** Configurations of somebody else that are in the way of ours. */
function foreign(configurations: readonly Configuration[], install: Install): readonly Finding[] {
  const own = new Set([install.configuration, `${MUTATING_PREFIX}${install.configuration}`]);
  const findings: Finding[] = [];
  const eso = configurations.filter(
    ({ kind, metadata }) => kind === 'ValidatingWebhookConfiguration' && ESO_NAMES.has(metadata.name),
  );
  if (eso.length > 0) {
    const names = eso.map(({ metadata }) => metadata.name);
    findings.push(
      finding('eso-webhook', {
        where: `ValidatingWebhookConfiguration ${names.join(' and ')}`,
        what: `They call the Service ${serviceOf(eso[0])}.`,
        commands: [`kubectl delete validatingwebhookconfiguration ${names.join(' ')}`],
      }),
    );
  }
  for (const one of configurations) {
    if (own.has(one.metadata.name)) continue;
    const service = one.webhooks?.find(
      ({ clientConfig }) =>
        clientConfig.service?.name === install.service.name &&
        clientConfig.service.namespace === install.namespace,
    );
    if (service === undefined) continue;
    findings.push(
      finding('webhook-duplicate', {
        where: place(one),
        what: `Its hook ${service.name} calls our Service, too.`,
        commands: [`kubectl delete ${one.kind.toLowerCase()} ${one.metadata.name}`],
      }),
    );
  }
  return findings;
}

function serviceOf(configuration: Configuration | undefined): string {
  const service = configuration?.webhooks?.[0]?.clientConfig.service;
  return service === undefined ? 'of a URL' : `${service.name} in namespace ${service.namespace}`;
}

/** Checks what is registered at the API server. */
export function checkConfigurations({ configurations, definitions, install }: ClusterState): CheckResult {
  const name = 'webhook configurations';
  if (!configurations.ok) return { name, seen: '', findings: [], unseen: [configurations.why] };
  const { value } = configurations;
  const findings = [
    ...registered(value, definitions.ok ? definitions.value : [], install),
    ...foreign(value, install),
  ];
  return { name, seen: plural(value.length, 'configuration'), findings, unseen: [] };
}
