/**
 * docs/README.md: all pages in the order in which one would read them. A page that is not there yet is left out, and one
 * that nobody placed comes last, so that no page is out of reach.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup/paths.mjs';

/** File below docs/, and what it is about. */
type Entry = readonly [file: string, words: string];

const PARTS: Readonly<Record<string, readonly Entry[]>> = {
  'To begin with': [
    ['concepts.md', 'what the parts are, and what happens when an ExternalSecret is created'],
    ['install.md', 'Helm, kustomize, plain manifests'],
    ['values.md', 'all values of the chart'],
    ['migrating.md', 'from External Secrets Operator or kubernetes-external-secrets, and back'],
    ['upgrading.md', 'to a newer version, and back'],
    ['namespaced.md', 'for one namespace only, without rights on the others'],
  ],
  'For who writes manifests': [
    ['external-secrets.md', 'which values, into which Secret, how often'],
    ['stores.md', 'how a provider is reached, and by whom'],
    [
      'providers/README.md',
      'Vault and OpenBao, AWS, Google Cloud, Azure, Kubernetes, webhooks: fields, credentials, least permissions',
    ],
    ['templates.md', 'the language, its functions and limits, and `esa render` to try them offline'],
    ['generators.md', 'passwords and the like that no provider keeps'],
    ['cluster-external-secrets.md', 'one ExternalSecret for many namespaces'],
    ['gitops.md', 'Helm, Argo CD, Flux: order, drift, health'],
    ['kes.md', 'manifests of kubernetes-external-secrets, served as they are'],
    ['lodash-templates.md', 'their templates'],
    ['converting.md', '`esa convert`: old manifests to v1'],
    ['annotations.md', 'what stands on objects, and what you may set'],
    ['supported.md', 'fields and providers; what is not supported is refused by name'],
    ['reference/README.md', 'every field of every kind'],
  ],
  'For who runs it': [
    ['operating.md', 'what happens when a part is down or slow, what to watch'],
    ['high-availability.md', 'replicas of both programs, and pollers that share the objects'],
    ['certificates.md', 'of the webhook: its own, or those of cert-manager'],
    ['image.md', 'what is in the image, and how it is built'],
    ['cli.md', '`esa`: lint in CI, explain, refresh, who uses a key'],
    ['doctor.md', '`esa doctor`: what is wrong with an installation, and what to do'],
    ['troubleshooting.md', 'by the text of the message'],
    ['refusals.md', 'every refusal in full, as kubectl prints it'],
    ['monitoring.md', 'the dashboard, the alerts and their runbooks'],
    ['metrics.md', 'all metrics'],
    ['performance.md', 'figures, each with its baseline and the command that gives it'],
  ],
  Security: [
    ['security.md', 'the model, rights, supply chain, a list for hardening'],
    ['threat-model.md', 'what can go wrong because a webhook makes Secrets, and what stands against it'],
    ['policies.md', 'what administrators can allow and forbid, by namespace'],
    ['admission.md', 'what the webhook refuses, what it warns of, and when'],
    ['dependencies.md', 'what it is made of: reasons and licences'],
  ],
  'To look things up': [
    ['rules.md', 'everything that an object can be refused for'],
    ['errors.md', 'every code, what it means, what to do'],
    ['differences.md', 'from External Secrets Operator, each on purpose'],
    ['comparison.md', 'with other ways to bring secrets into a cluster'],
    ['versioning.md', 'what versions promise, and for how long they are supported'],
    ['acceptance.md', 'what it was built to do, and the test of each'],
  ],
  'For who works on it': [
    ['contributing.md', 'rooms, tests, how to run, debug and release it'],
    ['adding-a-provider.md', 'a provider from nothing, block by block'],
    ['decisions/README.md', 'why it is built this way'],
  ],
};

/** Reached from a page of their own. */
const UNDER = /^(?:reference|decisions|runbooks|providers)\//;

const titleOf = (file: string): string =>
  /^# (.+)$/m.exec(readFileSync(join(ROOT, 'docs', file), 'utf8'))?.[1] ?? file;

/** Made by the same run as this page, so maybe not there yet. */
const GENERATED = new Set([
  'reference/README.md',
  'decisions/README.md',
  'dependencies.md',
  'rules.md',
  'errors.md',
  'acceptance.md',
]);
const GENERATED_TITLES: Readonly<Record<string, string>> = {
  'reference/README.md': 'API reference',
  'decisions/README.md': 'Decisions',
  'dependencies.md': 'Dependencies',
};

export function renderDocsIndex(): string {
  const row = ([file, words]: Entry): string =>
    `| [${GENERATED_TITLES[file] ?? titleOf(file)}](${file}) | ${words} |`;
  const placed = new Set(Object.values(PARTS).flatMap((entries) => entries.map(([file]) => file)));
  const others = globSync('**/*.md', { cwd: join(ROOT, 'docs') })
    .filter((file) => file !== 'README.md' && !placed.has(file) && !UNDER.test(file))
    .toSorted();
  const parts = Object.entries(PARTS).map(
    ([title, entries]) =>
      [
        title,
        entries.filter(([file]) => GENERATED.has(file) || existsSync(join(ROOT, 'docs', file))),
      ] as const,
  );
  const runbooks = globSync('runbooks/*.md', { cwd: join(ROOT, 'docs') }).toSorted();
  return [
    '# Documentation\n',
    'In the order in which one would read it. New here? Take the [README](../README.md) first: it shows the whole thing in a',
    'minute. This page is generated (`make generate`).\n',
    ...parts
      .filter(([, entries]) => entries.length > 0)
      .flatMap(([title, entries]) => [`## ${title}\n`, '| | |', '|---|---|', ...entries.map(row), '']),
    ...(runbooks.length === 0
      ? []
      : [
          '## Runbooks\n',
          'One page an alert: what it means, how to find the cause, what to do.\n',
          ...runbooks.map((file) => `- [${titleOf(file)}](${file})`),
          '',
        ]),
    ...(others.length === 0
      ? []
      : ['## More\n', ...others.map((file) => `- [${titleOf(file)}](${file})`), '']),
  ].join('\n');
}
