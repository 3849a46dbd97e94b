/**
 * A chart of the shape of External Secrets Operator's, for tests in which its programs do not run: CRDs as templates
 * that take `crds.annotations`, Deployments, and the two webhook configurations that refuse while nobody answers.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../../tools/setup/paths.mjs';
import { temporaryDirectory } from '../harness/run-directory.ts';

interface Definition {
  readonly spec: { readonly versions: readonly { readonly name: string }[] };
}

/** Those of its kinds that the move has objects of, and that we have, too. */
const SHARED = [
  'externalsecrets',
  'secretstores',
  'clustersecretstores',
  'clusterexternalsecrets',
  'generators-passwords',
];

/** It stores v1, knows v1beta1 without serving it, and converts nothing. */
function asItsOwn(file: string): object {
  const definition = parse(readFileSync(join(ROOT, 'deploy/crds', `${file}.yaml`), 'utf8')) as Definition;
  const versions = definition.spec.versions
    .filter(({ name }) => name !== 'v1alpha1' || file.startsWith('generators-'))
    .map((version) => (version.name === 'v1beta1' ? { ...version, served: false } : version));
  return { ...definition, spec: { ...definition.spec, versions, conversion: { strategy: 'None' } } };
}

/** A kind that only it has. */
function foreign(group: string, kind: string): object {
  const singular = kind.toLowerCase();
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${singular}s.${group}` },
    spec: {
      group,
      scope: kind.startsWith('Cluster') ? 'Cluster' : 'Namespaced',
      names: { kind, plural: `${singular}s`, singular, categories: ['external-secrets'] },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}

const CRDS = `{{- range $path, $_ := .Files.Glob "definitions/*.json" }}
{{- $crd := $.Files.Get $path | fromJson }}
{{- with $.Values.crds.annotations }}{{- $_ := set $crd.metadata "annotations" . }}{{- end }}
---
{{ toYaml $crd }}
{{- end }}
`;
const TEMPLATE = `{{- range $name := list "external-secrets" "external-secrets-cert-controller" "external-secrets-webhook" }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: &labels
    app.kubernetes.io/name: {{ $name }}
    app.kubernetes.io/instance: {{ $.Release.Name }}
spec:
  replicas: 1
  selector:
    matchLabels: *labels
  template:
    metadata:
      labels: *labels
    spec:
      containers:
        - name: {{ $name }}
          image: ghcr.io/external-secrets/external-secrets:v2.9.0
{{- end }}
{{- if .Values.webhook.create }}
{{- range $resource := list "externalsecret" "secretstore" }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: {{ $resource }}-validate
  labels:
    external-secrets.io/component: webhook
webhooks:
  - name: validate.{{ $resource }}.external-secrets.io
    rules:
      - apiGroups: [external-secrets.io]
        apiVersions: [v1]
        operations: [CREATE, UPDATE, DELETE]
        resources: [{{ $resource }}s]
    clientConfig:
      service:
        namespace: {{ $.Release.Namespace }}
        name: external-secrets-webhook
        path: /validate
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: 5
    failurePolicy: Fail
{{- end }}
{{- end }}
`;

/** Name of the CRD of writeProbeChart(). */
export const PROBE = 'probes.moving.example.org';

/** @returns the path of a chart of one CRD, as a template that takes `crds.annotations` */
export function writeProbeChart(): string {
  return writeChart('probe', CRDS, { probes: foreign('moving.example.org', 'Probe') });
}

/** @returns the path of the chart */
export function writeEsoChart(): string {
  return writeChart('external-secrets', CRDS + TEMPLATE, {
    ...Object.fromEntries(SHARED.map((file) => [file, asItsOwn(file)])),
    pushsecrets: foreign('external-secrets.io', 'PushSecret'),
    clusterpushsecrets: foreign('external-secrets.io', 'ClusterPushSecret'),
    generatorstates: foreign('generators.external-secrets.io', 'GeneratorState'),
  });
}

function writeChart(name: string, template: string, crds: Readonly<Record<string, object>>): string {
  const chart = join(temporaryDirectory('chart'), name);
  mkdirSync(join(chart, 'templates'), { recursive: true });
  mkdirSync(join(chart, 'definitions'));
  const write = (file: string, text: string): void => writeFileSync(join(chart, file), text);
  write('Chart.yaml', `apiVersion: v2\nname: ${name}\nversion: 2.9.0\n`);
  write('values.yaml', 'crds:\n  annotations: {}\nwebhook:\n  create: true\n');
  write('templates/all.yaml', template);
  for (const [file, crd] of Object.entries(crds)) write(`definitions/${file}.json`, JSON.stringify(crd));
  return chart;
}
