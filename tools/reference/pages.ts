/**
 * docs/reference: every field of every kind, made from the CRDs. What stands in several kinds is told once: the
 * blocks of providers on a page of their own, the spec of a generator on its own page.
 */
import { isDeepStrictEqual } from 'node:util';
import { buildCrds, type CustomResourceDefinition, type CustomResourceVersion } from '../../api/crd/crds.ts';
import { buildGeneratorCrds } from '../../api/crd/generator-crds.ts';
import { buildKesCrd } from '../../api/crd/kes-crd.ts';
import { buildPolicyCrd } from '../../api/crd/policy-crd.ts';
import type { StructuralSchema } from '../../api/crd/structural.ts';
import { supportsGenerator } from '../../providers/generators/registry.ts';
import { providerSchemas } from '../../providers/registry.ts';
import { type Elsewhere, fieldsOf, fieldTable, validationsOf } from './fields.ts';
import { differences } from './versions.ts';

const FOLDER = 'docs/reference';
const STORES = ['SecretStore', 'ClusterSecretStore'];
const PROVIDERS = 'providers.md';
/** Pages for people about a kind or a provider, from docs/reference/<group>/. */
const GUIDES: Readonly<Record<string, string>> = {
  ExternalSecret: '../../external-secrets.md',
  SecretStore: '../../stores.md',
  ClusterSecretStore: '../../stores.md',
  ClusterExternalSecret: '../../cluster-external-secrets.md',
  ClusterSecretPolicy: '../../policies.md',
  vault: '../../providers/vault.md',
  openBao: '../../providers/vault.md',
  aws: '../../providers/aws.md',
  gcpsm: '../../providers/gcpsm.md',
  azurekv: '../../providers/azurekv.md',
  kubernetes: '../../providers/kubernetes.md',
  webhook: '../../providers/webhook.md',
  express: '../../providers/express.md',
  fake: '../../providers/fake.md',
};

const allCrds = (): readonly CustomResourceDefinition[] => [
  ...buildCrds({ providers: providerSchemas, conversion: { namespace: 'x', serviceName: 'x' } }),
  ...buildGeneratorCrds(),
  buildPolicyCrd(),
  buildKesCrd(),
];

const GENERATED = 'Generated from the schemas in `api/` and `providers/` (`make generate`).';

const member = (
  schema: StructuralSchema | undefined,
  ...path: readonly string[]
): StructuralSchema | undefined =>
  path.reduce<StructuralSchema | undefined>((at, name) => at?.properties?.[name], schema);

const withoutDescription = (schema: StructuralSchema): object => ({ ...schema, description: undefined });
const isSame = (a: StructuralSchema, b: StructuralSchema | undefined): boolean =>
  b !== undefined &&
  Object.keys(a.properties ?? {}).length > 0 &&
  isDeepStrictEqual(withoutDescription(a), withoutDescription(b));

const versionOf = (crd: CustomResourceDefinition): CustomResourceVersion => {
  const stored = crd.spec.versions.find(({ storage }) => storage);
  if (stored === undefined) throw new Error(`${crd.metadata.name} stores no version`);
  return stored;
};
const schemaOf = (crd: CustomResourceDefinition): StructuralSchema => versionOf(crd).schema.openAPIV3Schema;

/** A provider that is declared so that manifests apply, and refused by name. */
const isDeclaredOnly = (schema: StructuralSchema): boolean =>
  schema['x-kubernetes-preserve-unknown-fields'] === true && schema.properties === undefined;

class Reference {
  readonly #crds = allCrds();

  /** Pages by path. */
  pages(): ReadonlyMap<string, string> {
    const pages = new Map<string, string>();
    for (const crd of this.#crds) pages.set(this.#fileOf(crd), this.#page(crd));
    const store = this.#crd('SecretStore');
    pages.set(`${FOLDER}/${store.spec.group}/${PROVIDERS}`, this.#providers(store));
    pages.set(`${FOLDER}/README.md`, this.#index());
    return pages;
  }

  #crd(kind: string): CustomResourceDefinition {
    const crd = this.#crds.find(({ spec }) => spec.names.kind === kind);
    if (crd === undefined) throw new Error(`there is no kind ${kind}`);
    return crd;
  }

  #fileOf = ({ spec: { group, names } }: CustomResourceDefinition): string =>
    `${FOLDER}/${group}/${names.kind}.md`;

  /** Where the fields of a schema stand that this page would only repeat. */
  #elsewhere(crd: CustomResourceDefinition): Elsewhere {
    const { group, names } = crd.spec;
    const to = (other: CustomResourceDefinition, anchor = ''): string =>
      `[${other.spec.names.kind}](${other.spec.group === group ? '' : `../${other.spec.group}/`}${other.spec.names.kind}.md${anchor})`;
    const specs = this.#crds
      .filter((other) => other !== crd)
      .flatMap((other) => {
        const spec = member(schemaOf(other), 'spec');
        return spec === undefined ? [] : [{ other, spec }];
      });
    const providers = Object.entries(
      member(schemaOf(this.#crd('SecretStore')), 'spec', 'provider')?.properties ?? {},
    );
    const storeGroup = this.#crd('SecretStore').spec.group;
    return (path, schema) => {
      if (names.kind === 'ClusterSecretStore' && path === 'spec') return to(this.#crd('SecretStore'));
      if (STORES.includes(names.kind) && path === 'spec.provider')
        return `[providers](${group === storeGroup ? '' : `../${storeGroup}/`}${PROVIDERS})`;
      if (path === 'spec') return undefined;
      const [spec] = specs.filter((one) => isSame(schema, one.spec));
      if (spec !== undefined) return to(spec.other);
      const [provider] = providers.filter(([, one]) => !isDeclaredOnly(one) && isSame(schema, one));
      return provider === undefined
        ? undefined
        : `[provider ${provider[0]}](${group === storeGroup ? '' : `../${storeGroup}/`}${PROVIDERS}#${provider[0].toLowerCase()})`;
    };
  }

  #page(crd: CustomResourceDefinition): string {
    const { group, names, scope, versions } = crd.spec;
    const newest = versionOf(crd);
    const schema = schemaOf(crd);
    const fields = fieldsOf(schema, this.#elsewhere(crd));
    const guide = GUIDES[names.kind];
    const short = names.shortNames.length === 0 ? '' : `, short \`${names.shortNames.join('`, `')}\``;
    const older = versions.filter(({ name, served }) => served && name !== newest.name);
    const rules = [schema, member(schema, 'spec')].flatMap((at) =>
      at === undefined ? [] : validationsOf(at),
    );
    const declaredOnly =
      group === 'generators.external-secrets.io' && !supportsGenerator(names.kind as never);
    return [
      `# ${names.kind}\n`,
      `${(schema.description ?? '').trim()}\n`,
      '| | |',
      '|---|---|',
      `| apiVersion | \`${group}/${newest.name}\` |`,
      `| resource | \`${names.plural}\`${short} |`,
      `| lies in | ${scope === 'Namespaced' ? 'a namespace' : 'the cluster'} |`,
      ...(older.length === 0
        ? []
        : [`| also served | ${older.map(({ name }) => `[\`${name}\`](#${name})`).join(', ')} |`]),
      ...(guide === undefined ? [] : [`| guide | [${guide.split('/').at(-1)}](${guide}) |`]),
      '',
      ...(declaredOnly
        ? ['Declared so that manifests apply; an ExternalSecret that refers to one is refused.\n']
        : []),
      ...(names.kind === 'ClusterSecretStore'
        ? [
            'Its fields are those of a [SecretStore](SecretStore.md), and its references have to name namespaces.\n',
          ]
        : []),
      '## Fields\n',
      ...fieldTable(fields),
      '',
      ...(rules.length === 0
        ? []
        : [
            'Of the whole object:\n',
            ...rules.map(({ rule, message }) => `- ${message ?? `\`${rule}\``}`),
            '',
          ]),
      ...older.flatMap(({ name, schema: { openAPIV3Schema } }) => {
        const found = differences(withoutProviders(schema), withoutProviders(openAPIV3Schema));
        return [
          `## ${name}\n`,
          ...(found.length === 0
            ? [`The same fields as \`${newest.name}\`.`]
            : [`Beside \`${newest.name}\`:\n`]),
          ...found.map((words) => `- ${words}`),
          '',
        ];
      }),
      `${GENERATED}\n`,
    ].join('\n');
  }

  #providers(store: CustomResourceDefinition): string {
    const block = member(schemaOf(store), 'spec', 'provider');
    const all = Object.entries(block?.properties ?? {});
    const declared = all.filter(([, schema]) => isDeclaredOnly(schema)).map(([key]) => `\`${key}\``);
    const sections = all
      .filter(([, schema]) => !isDeclaredOnly(schema))
      .flatMap(([key, schema]) => {
        const guide = GUIDES[key];
        return [
          `## ${key}\n`,
          `${(schema.description ?? '').trim()}${guide === undefined ? '' : ` Guide: [${guide.split('/').at(-1)}](${guide}).`}\n`,
          ...fieldTable(fieldsOf(schema, () => undefined, key)),
          '',
        ];
      });
    return [
      '# Providers\n',
      'The member of `spec.provider` of a [SecretStore](SecretStore.md) or [ClusterSecretStore](ClusterSecretStore.md). Exactly one. Paths begin below `spec.provider`.\n',
      ...sections,
      '## Declared only\n',
      'External Secrets Operator has these, too. Manifests with them are refused by name, so that nothing is ignored:',
      `${declared.join(', ')}.\n`,
      `${GENERATED}\n`,
    ].join('\n');
  }

  #index(): string {
    const groups = Map.groupBy(this.#crds, ({ spec }) => spec.group);
    return [
      '# API reference\n',
      'Every field of every kind: path, type, default, what it may be, and what it means. `kubectl explain` says the',
      'same, for instance `kubectl explain externalsecret.spec.target`. In paths `[]` stands for an entry of a list and',
      `\`*\` for a key of a map. ${GENERATED}\n`,
      ...[...groups].flatMap(([group, crds]) => [
        `## ${group}\n`,
        '| kind | versions | lies in |',
        '|---|---|---|',
        ...crds.map(
          ({ spec: { names, versions, scope } }) =>
            `| [${names.kind}](${group}/${names.kind}.md) | ${versions
              .filter(({ served }) => served)
              .map(({ name }) => name)
              .join(', ')} | ${scope === 'Namespaced' ? 'a namespace' : 'the cluster'} |`,
        ),
        '',
        ...(group === this.#crd('SecretStore').spec.group
          ? [`The blocks of [providers](${group}/${PROVIDERS}) have a page of their own.\n`]
          : []),
      ]),
    ].join('\n');
  }
}

/** Providers are the same in all versions but for a few that were dropped; they would hide all else. */
function withoutProviders(schema: StructuralSchema): StructuralSchema {
  const copy = structuredClone(schema);
  const spec = copy.properties?.['spec'];
  if (spec?.properties?.['provider'] !== undefined) spec.properties['provider'] = { type: 'object' };
  return copy;
}

/** All pages of docs/reference by their path from the root of the repository. */
export const referencePages = (): ReadonlyMap<string, string> => new Reference().pages();
