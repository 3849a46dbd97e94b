/** `esa doctor`: what is wrong with an installation, and what to do about it. */
import { Command, Option } from 'commander';
import { type ClusterOptions, clusterOptions, withCluster } from './cluster/access.ts';
import { Progress, painter } from './cluster/words.ts';
import { gather } from './doctor/gather.ts';
import { allFindings, formatJson, formatText, runChecks } from './doctor/report.ts';
import { countOf } from './findings.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

interface DoctorOptions extends ClusterOptions {
  readonly output: 'text' | 'json';
}

const HELP = `
Reads the cluster and changes nothing: two creates of an ExternalSecret are tried as a dry run, which makes nothing.
What you may not read is not looked at, and named. No value of a Secret is printed.
-n names the namespace of webhook and poller; without it, it is found by the webhook configurations.
docs/doctor.md has every finding by its id.

Exit code: 0 nothing is wrong (notes do not count), 1 something is, 2 the command was called wrongly, 3 the cluster
could not be asked.
`;

export function doctorCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return clusterOptions(
    new Command('doctor').description('Find out what is wrong with the installation in a cluster.'),
  )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText('after', HELP)
    .action(async (options: DoctorOptions) => done(await doctor(options, terminal)));
}

async function doctor(options: DoctorOptions, terminal: Terminal): Promise<ExitCode> {
  const progress = new Progress(terminal);
  try {
    const state = await withCluster(options, (cluster) =>
      gather(cluster, { namespace: options.namespace, progress: (text) => progress.show(text) }),
    );
    const results = runChecks(state);
    progress.clear();
    terminal.out(
      options.output === 'json' ? formatJson(state, results) : formatText(state, results, painter(terminal)),
    );
    const findings = allFindings(results);
    return countOf(findings, 'error') + countOf(findings, 'warning') > 0 ? EXIT.wrong : EXIT.ok;
  } finally {
    progress.clear();
  }
}
