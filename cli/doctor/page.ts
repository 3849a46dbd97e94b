/** docs/doctor.md, made from the catalogue of findings. */
import { FINDINGS, type FindingId } from './catalogue.ts';
import { finding } from './finding.ts';
import { formatFinding } from './report.ts';

/** Ids by what they are about, in the order of the page. */
const GROUPS: readonly { readonly title: string; readonly ids: readonly FindingId[] }[] = [
  {
    title: 'CustomResourceDefinitions',
    ids: [
      'crd-missing',
      'crd-outdated',
      'crd-terminating',
      'crd-stored-versions',
      'crd-conversion-none',
      'crd-conversion-elsewhere',
      'crd-unprotected',
    ],
  },
  {
    title: 'Admission',
    ids: [
      'webhook-configuration-missing',
      'webhook-configuration-edited',
      'webhook-duplicate',
      'webhook-service',
      'webhook-endpoints',
      'webhook-unreachable',
      'webhook-not-asked',
      'webhook-refuses',
    ],
  },
  {
    title: 'Certificates and keys',
    ids: ['ca-missing', 'ca-broken', 'ca-bundle', 'hook-path', 'ca-expiry', 'marker-key'],
  },
  {
    title: 'Programs',
    ids: [
      'account-missing',
      'rights-missing',
      'program-missing',
      'program-not-ready',
      'program-versions',
      'program-single',
      'poller-lease',
      'webhook-lease',
    ],
  },
  { title: 'The cluster', ids: ['kubernetes-version', 'clock-own', 'clock-program', 'flow-schema'] },
  {
    title: 'Stores and objects',
    ids: [
      'store-not-ready',
      'store-provider',
      'store-secret',
      'objects-not-ready',
      'objects-late',
      'target-unmanaged',
      'secrets-pending',
      'secrets-orphaned',
      'namespace-stuck',
    ],
  },
  {
    title: 'Other controllers',
    ids: ['eso-running', 'eso-webhook', 'eso-finalizer', 'kes-running'],
  },
];

const EXAMPLE = formatFinding(
  finding('crd-unprotected', {
    where: 'Helm release external-secrets/external-secrets',
    what: '`helm uninstall external-secrets -n external-secrets` (chart external-secrets 2.9.0) would delete 23 CRDs: acraccesstokens.generators.external-secrets.io, cloudsmithaccesstokens.generators.external-secrets.io, clusterexternalsecrets.external-secrets.io and 20 more.',
    commands: [
      "helm upgrade external-secrets external-secrets/external-secrets --version 2.9.0 -n external-secrets --reuse-values --set 'crds.annotations.helm\\.sh/resource-policy=keep'",
    ],
  }),
  (_, text) => text,
);

const INTRODUCTION = `# esa doctor

\`esa doctor\` says what is wrong with an installation, why that matters, and what to do about it.

<!-- run by: test/e2e/doctor.test.ts -->
\`\`\`sh
esa doctor                       # the cluster of the current context
esa doctor --context prod -n external-secrets-system
esa doctor -o json               # for scripts
\`\`\`

A line says of each check what was looked at. Then come the findings, the gravest first, like this one:

\`\`\`text
${EXAMPLE}\`\`\`

It reads and changes nothing. Two creates of an ExternalSecret are tried as a dry run, in the namespace \`default\` (or the one
that is served): one that has to be let through, in the oldest version that is served, and one that only our webhook refuses.
Together they prove the way through the API server, conversion, webhook and back. A dry run makes no Secret.

| exit code | |
|---|---|
| 0 | nothing is wrong; notes do not count |
| 1 | there is an error or a warning |
| 2 | the command was called wrongly |
| 3 | the cluster could not be asked |

Of each kind of object the first 20,000 are read, page by page, and of Secrets metadata only. Whole are read: the Secret of the CA,
the one with the key of the pending marker, and those in which Helm keeps the releases that CRDs belong to. No value is printed.

**What you may not read is not looked at, and named** (\`not seen\`). To see all of it you need to list CustomResourceDefinitions, webhook
configurations, Deployments, Namespaces, FlowSchemas, stores, ExternalSecrets and Secrets everywhere; Services, EndpointSlices, Pods,
Leases and ServiceAccounts where the programs are; to create SubjectAccessReviews, for what the programs may do; to create
ExternalSecrets in \`default\`, for the dry runs; and \`pods/proxy\` there, for the certificate that each replica serves. An administrator has all of that.

Where the programs are is told by the webhook configurations; \`-n\` says it. Commands of remedies fit the way it was installed: for a
Helm release they apply the manifest that Helm has stored, else \`deploy/manifests\` of a checkout.

With \`-o json\`: \`namespace\`, \`release\`, \`kubernetes\`, \`errors\`, \`warnings\`, \`notes\`, \`checks\` (\`name\`, \`seen\`, \`unseen\`) and \`findings\`
(\`id\`, \`severity\`, \`where\`, \`what\`, \`why\`, \`remedy\`, \`commands\`), the gravest first. Ids stay.

# Findings

This list is generated from \`cli/doctor/catalogue.ts\` (\`make generate\`). A finding may be less grave than is said here where it is known
to be harmless, and its remedy more precise.
`;

/** The whole page. @throws Error if a finding is in no group, or in two */
export function renderPage(): string {
  const listed = GROUPS.flatMap(({ ids }) => ids);
  const wrong = Object.keys(FINDINGS).filter((id) => listed.filter((one) => one === id).length !== 1);
  if (wrong.length > 0)
    throw new Error(`say once in GROUPS what these findings are about: ${wrong.join(', ')}`);
  const sections = GROUPS.map(({ title, ids }) => {
    const entries = ids.map((id) => {
      const { severity, meaning, why, remedy } = FINDINGS[id];
      return `### ${id}\n\n${severity}. ${meaning} ${why}\n\n**What to do:** ${remedy}\n`;
    });
    return [`## ${title}\n`, ...entries].join('\n');
  });
  return [INTRODUCTION, ...sections].join('\n');
}
