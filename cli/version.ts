/** `esa version`: what this program is. */
import { Command, Option } from 'commander';
import { GROUP, SERVED_VERSIONS } from '../api/external-secrets/names.ts';
import { GENERATOR_GROUP } from '../api/generators/names.ts';
import packageJson from '../package.json' with { type: 'json' };
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

export function versionCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return new Command('version')
    .description('Print the version of esa and the API versions that it knows.')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .action(({ output }: { readonly output: 'text' | 'json' }) => {
      const { version } = packageJson;
      const apiVersions = [
        ...SERVED_VERSIONS.map((one) => `${GROUP}/${one}`),
        `${GENERATOR_GROUP}/v1alpha1`,
        'kubernetes-client.io/v1',
      ];
      terminal.out(
        output === 'json'
          ? `${JSON.stringify({ version, node: process.versions.node, apiVersions }, null, 2)}\n`
          : `esa ${version} (Node.js ${process.versions.node})\n${apiVersions.join(', ')}\n`,
      );
      done(EXIT.ok);
    });
}
