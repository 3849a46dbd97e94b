/**
 * Run by the Node of an image that is being built, once for each program and once for the chunks that are
 * loaded late: loads them and leaves V8's code in the cache.
 *
 *   node --hash-seed=1 warm.mjs CACHE FILE...     one program (--help ends it), or several chunks
 */
import { enableCompileCache } from 'node:module';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';

// Strings are hashed with the seed of the command line by now. The flag itself is put back, because V8 takes code
// only of a process with the same flags.
setFlagsFromString('--hash-seed=0');
const [node, , directory, ...files] = process.argv;
enableCompileCache({ directory, portable: true });
for (const file of files) {
  process.argv = [node, file, '--help'];
  await import(pathToFileURL(file).href);
}
