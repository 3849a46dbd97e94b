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

/** Server-side apply with strict validation. @returns what the API server refuses it with, '' if it does not */
async function apply(manifest: Manifest, { dryRun }: { readonly dryRun: boolean }): Promise<string> {
  const path = await discovery.pathOf(manifest);
  const query = `fieldManager=docs&force=true&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`;
  const { status, body } = await bed.cp.request<{ message?: string }>('PATCH', `${path}?${query}`, manifest, {
    'content-type': 'application/apply-patch+yaml',
  });
  return status < 300 ? '' : `${manifest.kind}/${manifest.metadata.name}: ${body.message ?? status}`;
}

async function carryOut(treatment: Treatment, directory: string): Promise<void> {
  switch (treatment.how) {
    case 'dry-run':
    case 'apply':
      for (const manifest of treatment.manifests)
        assert.equal(await apply(manifest, { dryRun: treatment.how === 'dry-run' }), '');
      return;
    case 'refused': {
      const answers: string[] = [];
      for (const manifest of treatment.manifests) answers.push(await apply(manifest, { dryRun: false }));
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
