/** Checks manifests with kubeconform against the schemas of a running API server, closed: an unknown field is an error. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubeconformDirectory } from '../../../tools/setup/paths.mjs';
import type { Cluster } from '../../harness/cluster.ts';
import { type CommandResult, runCommand } from '../../harness/command.ts';
import { eventually } from '../../harness/eventually.ts';
import { temporaryDirectory } from '../../harness/run-directory.ts';

interface Schema {
  properties?: Readonly<Record<string, unknown>>;
  additionalProperties?: unknown;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
  }[];
}

interface OpenApi {
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

/** Objects whose fields are all known have no others. */
function close(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  const one = schema as Schema;
  if (one.properties !== undefined && !one['x-kubernetes-preserve-unknown-fields'])
    one.additionalProperties ??= false;
  for (const child of Object.values(schema)) close(child);
}

/**
 * Writes the schemas of these group versions (`apis/apps/v1`, `api/v1`).
 * @returns a check of manifests, YAML; every kind has to have a schema
 */
export async function kubeconform(
  cluster: Cluster,
  groupVersions: readonly string[],
): Promise<(manifests: string) => Promise<CommandResult>> {
  const directory = temporaryDirectory('kubeconform');
  for (const path of groupVersions) {
    // Kinds that were just added come a moment later.
    const body = await eventually(
      async () => {
        const answer = await cluster.request<OpenApi>('GET', `/openapi/v3/${path}`);
        return answer.status === 200 ? answer.body : undefined;
      },
      { timeout: 60_000, what: `the schemas of ${path}` },
    );
    close(body.components?.schemas);
    for (const [name, schema] of Object.entries(body.components?.schemas ?? {})) {
      const [only, ...more] = schema['x-kubernetes-group-version-kind'] ?? [];
      // Lists, and what belongs to many groups.
      if (only === undefined || more.length > 0 || only.kind.endsWith('List')) continue;
      const { group, version, kind } = only;
      const document = { $ref: `#/components/schemas/${name}`, components: body.components };
      // Of the core group kubeconform gives the version as group.
      const file = `${kind.toLowerCase()}_${group === '' ? version : group}_${version}.json`;
      writeFileSync(join(directory, file), JSON.stringify(document));
    }
  }
  const location = join(directory, '{{ .ResourceKind }}_{{ .Group }}_{{ .ResourceAPIVersion }}.json');
  return (manifests) =>
    runCommand(
      join(kubeconformDirectory(), 'kubeconform'),
      ['-strict', '-summary', '-schema-location', location, '-'],
      { stdin: manifests },
    );
}
