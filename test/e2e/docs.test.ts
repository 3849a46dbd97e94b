/**
 * The commands and manifests of all pages, on a real control plane, in the order in which they stand there.
 * ESA_DOCS=docs/a.md,docs/b.md runs only these pages.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { helmDirectory, openBaoBinary } from '../../tools/setup/paths.mjs';
import { isAsPrinted, type Manifest, type Treatment } from '../docs/blocks.ts';
import { type Place, pageDirectory, programDirectory, runScript } from '../docs/commands.ts';
import { Discovery } from '../docs/discovery.ts';
import { readPages } from '../docs/pages.ts';
import { type Bed, startBed } from '../harness/bed.ts';
import { eventually } from '../harness/eventually.ts';

const wanted = process.env['ESA_DOCS']?.split(',');
const pages = readPages(wanted);

let bed: Bed;
let discovery: Discovery;
let place: Omit<Place, 'directory'>;

before(async () => {
  bed = await startBed({ product: { kes: true, webhookArgs: ['--kes'], pollerArgs: ['--kes'] } });
  discovery = new Discovery(bed.cp);
  const bao = openBaoBinary();
  const { address, token } = bed.openBao;
  place = {
    programs: programDirectory({
      kubectl: bed.cp.kubectlBinary,
      bao,
      vault: bao,
      helm: join(helmDirectory(), 'helm', 'helm'),
    }),
    env: {
      KUBECONFIG: bed.cp.kubeconfig,
      ...Object.fromEntries(
        ['BAO', 'VAULT'].flatMap((name) => [
          [`${name}_ADDR`, address],
          [`${name}_TOKEN`, token],
        ]),
      ),
    },
  };
  const namespaces = pages.flatMap(({ steps }) =>
    steps.flatMap(({ treatment }) =>
      'manifests' in treatment ? treatment.manifests.flatMap(namespacesIn) : [],
    ),
  );
  for (const name of new Set(namespaces))
    await bed.cp.request('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
});
after(() => bed.stop());

/** A page that makes a namespace shows it as a manifest, too; the others expect theirs to be there. */
const namespacesIn = ({ metadata }: Manifest): readonly string[] =>
  metadata.namespace === undefined ? [] : [metadata.namespace];

type Answer = { readonly status: number; readonly body: { readonly message?: string } };

const refusalOf = ({ kind, metadata }: Manifest, { status, body }: Answer): string =>
  status < 300 ? '' : `${kind}/${metadata.name}: ${body.message ?? status}`;

/** Server-side apply, as `kubectl apply --server-side --validate=strict`. @returns the refusal, '' if there is none */
async function apply(manifest: Manifest): Promise<string> {
  const path = await discovery.pathOf(manifest);
  const query = 'fieldManager=docs&force=true&fieldValidation=Strict';
  const type = { 'content-type': 'application/apply-patch+yaml' };
  return refusalOf(manifest, await bed.cp.request('PATCH', `${path}?${query}`, manifest, type));
}

/** A strict dry run of a create, or of a replacement of what another page left there. */
async function tryOut(manifest: Manifest): Promise<string> {
  const path = await discovery.pathOf(manifest);
  const query = 'dryRun=All&fieldValidation=Strict';
  const folder = path.slice(0, path.lastIndexOf('/'));
  const created: Answer = await bed.cp.request('POST', `${folder}?${query}`, manifest);
  if (created.status !== 409) return refusalOf(manifest, created);
  return await eventually(async () => {
    const { body } = await bed.cp.request<{ metadata: { resourceVersion: string } }>('GET', path);
    const { resourceVersion } = body.metadata;
    const replacement = { ...manifest, metadata: { ...manifest.metadata, resourceVersion } };
    const answer: Answer = await bed.cp.request('PUT', `${path}?${query}`, replacement);
    // The poller may have written its status between the two.
    return answer.status === 409 ? undefined : refusalOf(manifest, answer);
  });
}

async function carryOut(treatment: Treatment, directory: string): Promise<void> {
  switch (treatment.how) {
    case 'dry-run':
      for (const manifest of treatment.manifests) assert.equal(await tryOut(manifest), '');
      return;
    case 'apply':
      for (const manifest of treatment.manifests) assert.equal(await apply(manifest), '');
      return;
    case 'refused': {
      const answers: string[] = [];
      for (const manifest of treatment.manifests) answers.push(await apply(manifest));
      assert.ok(answers.join('\n').includes(treatment.words), answers.join('\n'));
      return;
    }
    case 'commands':
      for (const { script, printed } of treatment.commands) {
        const { code, stdout } = await runScript(printed === undefined ? script : `set +e\n${script}`, {
          ...place,
          directory,
        });
        if (printed === undefined) assert.equal(code, 0, `${script}\n${stdout}`);
        else if (!isAsPrinted(printed, stdout, { blanks: true })) assert.equal(stdout, printed);
      }
      return;
    default:
  }
}

for (const page of pages) {
  const steps = page.steps.filter(
    ({ treatment }) =>
      ['dry-run', 'apply', 'refused'].includes(treatment.how) ||
      (treatment.how === 'commands' && !treatment.offline),
  );
  if (steps.length === 0) continue;
  describe(page.file, () => {
    let directory: string;
    before(() => {
      directory = pageDirectory(page);
    });
    for (const { line, treatment } of steps)
      test(`${page.file}:${line}: ${treatment.how}`, () => carryOut(treatment, directory));
  });
}
