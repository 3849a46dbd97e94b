/**
 * The first import of every program's entry: says in one line what to do when the Node that runs it is
 * too old. Plain JavaScript without imports, so that it runs on any Node before a .ts file is touched.
 */

const NEEDED = 24;

/**
 * Ends the process with exit code 1 unless this is Node 24 or newer.
 * @param {string} program what to start again, as the user would type it, e.g. `webhook/main.mjs`
 */
export function requireNode(program) {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= NEEDED) return;
  process.stderr.write(
    `${program} needs Node ${NEEDED} or newer, this is ${process.versions.node}: ` +
      `run \`make setup\`, then \`PATH="$PWD/node_modules/.bin:$PATH" node ${program}\`.\n`,
  );
  process.exit(1);
}
