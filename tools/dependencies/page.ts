/** docs/dependencies.md. */
import { INSTALL_SCRIPTS, LICENCES_BY_HAND, NOT_IMPORTED, REASONS } from './reasons.ts';
import { type Dependency, faultsOf, type Package, type Survey, survey } from './survey.ts';

const table = (dependencies: readonly Dependency[]): readonly string[] => [
  '| package | licence | what for | imported by | brings along |',
  '|---|---|---|---|---|',
  ...dependencies.map(({ name, version, licence, importedBy, transitive }) =>
    [
      '',
      `\`${name}\` ${version}`,
      licence ?? '',
      REASONS[name] ?? '',
      importedBy.length > 0
        ? importedBy.map((folder) => `\`${folder}\``).join(', ')
        : (NOT_IMPORTED[name] ?? ''),
      String(transitive),
      '',
    ]
      .join(' | ')
      .trim(),
  ),
];

/** How many packages state which licence, the most frequent first. */
export function licenceCounts(
  packages: readonly Package[],
): readonly (readonly [licence: string, count: number])[] {
  const counts = Map.groupBy(packages, ({ licence }) => licence ?? '');
  return [...counts]
    .map(([licence, of]) => [licence, of.length] as const)
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

/** The whole page. @throws nothing; what is wrong is printed, and the exit code says so */
export function renderDependencies(found: Survey = survey()): string {
  for (const fault of faultsOf(found)) {
    console.error(`docs/dependencies.md: ${fault} (tools/dependencies/reasons.ts)`);
    process.exitCode = 1;
  }
  const shipped = found.all.filter(({ dev }) => !dev);
  return [
    '# Dependencies\n',
    'Everything that the product is made of beside its own code. Versions are exact, the lockfile holds their hashes, and no',
    'script of a package runs when it is installed (`.npmrc`). `make check` refuses a dependency without a reason, one that',
    'nothing imports, a licence that is not on the list of `tools/dependencies/reasons.ts`, and install scripts. `make report`',
    'prints all of it, with the share of each package in the bundled programs and the dead code (none). This page is',
    'generated (`make generate`).\n',
    '## In the product\n',
    ...table(found.direct.filter(({ dev }) => !dev)),
    '',
    '## Tools\n',
    'For work on the product; none of it is in the image or the command line.\n',
    ...table(found.direct.filter(({ dev }) => dev)),
    '',
    '## Licences of all packages\n',
    'Of the product, with everything that its dependencies bring along:\n',
    '| licence | packages |',
    '|---|---|',
    ...licenceCounts(shipped).map(([licence, count]) => `| ${licence} | ${count} |`),
    '',
    'Where a package offers a choice, we take the one on our list. Licences that a package states otherwise than by an SPDX',
    `expression: ${Object.entries(LICENCES_BY_HAND)
      .map(([name, licence]) => `\`${name}\` (${licence})`)
      .join(', ')}.`,
    `Packages with an install script: ${Object.entries(INSTALL_SCRIPTS)
      .map(([name, why]) => `\`${name}\` (${why})`)
      .join(', ')}.\n`,
    'Beside npm: tests fetch a control plane of Kubernetes, OpenBao, stand-ins for AWS, helm and the like by pinned versions',
    '(`tools/setup`, `test/*/requirements.txt`). None of it is in the product.\n',
  ].join('\n');
}
