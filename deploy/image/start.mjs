/**
 * The image's entry point: the first argument names the program, the others are its own. V8 finds what it
 * compiled when the image was built in `cache`, and never writes: the folder is root's.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

const PROGRAMS = ['webhook', 'poller', 'esa'];

const [node, , program, ...args] = process.argv;
if (!PROGRAMS.includes(program)) {
  process.stderr.write(`name a program first: ${PROGRAMS.join(', ')}; then its flags, such as --help\n`);
  process.exit(2);
}
enableCompileCache({ directory: join(import.meta.dirname, 'cache'), portable: true });
const file = join(import.meta.dirname, `${program}.mjs`);
process.argv = [node, file, ...args];
await import(file);
