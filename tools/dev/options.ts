/** Flags that `make dev` and `make demo` share. */
import { parseArgs } from 'node:util';

/** What the user has to mend: its message is for them and needs no stack. */
export class UsageError extends Error {}

/** A cluster of the user's own. */
export interface OwnCluster {
  /** Name of a context of their kubeconfig. */
  readonly context: string;
  /** Name or IPv4 address of this machine as the API server reaches it; found by itself if absent. */
  readonly webhookHost: string | undefined;
  /** Applies without asking. */
  readonly yes: boolean;
}

export interface DevFlags {
  /** Only where it was named: KUBECONFIG alone never leads to a cluster. */
  readonly ownCluster: OwnCluster | undefined;
  /** The flags of one program that are set. */
  readonly switches: ReadonlySet<string>;
}

/**
 * @param program as messages name it
 * @param switches flags without a value that this program has beside the shared ones
 * @throws UsageError
 */
export function readDevFlags(
  program: string,
  args: readonly string[],
  switches: readonly string[],
): DevFlags {
  const own = Object.fromEntries(switches.map((name) => [name, { type: 'boolean' as const }]));
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        ...own,
        context: { type: 'string' },
        'webhook-host': { type: 'string' },
        yes: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new UsageError(`${program}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { context, 'webhook-host': webhookHost, yes = false } = values;
  if (context === undefined && (webhookHost !== undefined || yes !== false)) {
    throw new UsageError(`${program}: --webhook-host and --yes are for a cluster of your own: add --context`);
  }
  if (context === '') throw new UsageError(`${program}: --context names no context`);
  return {
    ownCluster:
      context === undefined
        ? undefined
        : {
            context: String(context),
            webhookHost: webhookHost === undefined ? undefined : String(webhookHost),
            yes: yes === true,
          },
    switches: new Set(switches.filter((name) => values[name] === true)),
  };
}

/** Runs a program's body; what the user has to mend is printed as it is, with exit code 1. */
export async function runForUser(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
