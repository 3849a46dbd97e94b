/** The plain manifests, rendered from the chart. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { helmDirectory } from '../tools/setup/paths.mjs';

const HELM = join(helmDirectory(), 'helm', 'helm');
const CHART = join(import.meta.dirname, 'chart');
const NAMESPACE = 'external-secrets-system';
/** The release whose objects are named as these manifests always were. */
const RELEASE = 'external-secrets';
const HEADER = '# Rendered from deploy/chart by deploy/generate.ts; do not edit.\n';
/** Only a chart's objects belong to helm. */
const HELM_LABELS = /^ *(app\.kubernetes\.io\/managed-by: Helm|helm\.sh\/chart: .*)\n/gm;
const MAX_OUTPUT = 64 * 1024 * 1024;

const NAMESPACE_MANIFEST = `apiVersion: v1
kind: Namespace
metadata:
  name: ${NAMESPACE}
  labels:
    app.kubernetes.io/part-of: external-secrets-admission
    pod-security.kubernetes.io/enforce: restricted
`;

/**
 * Renders the chart without CRDs.
 * @returns YAML by the name of the template that it comes from
 * @throws Error where set-up has not fetched helm, and if helm refuses
 */
function renderTemplates(values: object): ReadonlyMap<string, string> {
  if (!existsSync(HELM)) throw new Error('helm is not there; run `node tools/setup.mjs helm`');
  const output = execFileSync(
    HELM,
    ['template', RELEASE, CHART, '--namespace', NAMESPACE, '--set', 'installCRDs=false', '--values', '-'],
    { input: JSON.stringify(values), encoding: 'utf8', maxBuffer: MAX_OUTPUT },
  );
  const files = new Map<string, string>();
  for (const part of output.split(/^---\n# Source: [^/\n]+\/templates\//m).slice(1)) {
    const end = part.indexOf('\n');
    const name = part.slice(0, end);
    const manifest = part
      .slice(end + 1)
      .replaceAll(HELM_LABELS, '')
      .replaceAll(/^ *\n/gm, '');
    const before = files.get(name);
    files.set(name, before === undefined ? HEADER + manifest : `${before}---\n${manifest}`);
  }
  return files;
}

/** One file of a rendering. */
function oneTemplate(name: string, values: object): ReadonlyMap<string, string> {
  const text = renderTemplates(values).get(name);
  if (text === undefined) throw new Error(`the chart renders no ${name}`);
  return new Map([[name, text]]);
}

const KES = { prepare: true };

/** deploy/manifests: the chart with its defaults, and with the rights and hooks that `--kes` needs. */
export const renderManifests = (): ReadonlyMap<string, string> =>
  new Map([['namespace.yaml', HEADER + NAMESPACE_MANIFEST], ...renderTemplates({ kes: KES })]);

/** deploy/materialise-in-validating: takes the place of the same file of deploy/manifests. */
export const renderValidatingVariant = (): ReadonlyMap<string, string> =>
  oneTemplate('webhook-configurations.yaml', { kes: KES, webhook: { materialiseIn: 'validating' } });

/** deploy/cert-manager. */
export const renderCertificates = (): ReadonlyMap<string, string> =>
  oneTemplate('certificates.yaml', { webhook: { certManager: { enabled: true } } });

/** What makes a folder of manifests one for kustomize; without an extension, so that `kubectl apply -f` passes over it. */
export const renderKustomization = (files: Iterable<string>): readonly [name: string, text: string] => [
  'Kustomization',
  `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n${[...files]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((file) => `  - ${file}\n`)
    .join('')}`,
];
