import { setFlagsFromString } from 'node:v8';
import { requireNode } from '../tools/require-node.mjs';

requireNode('poller/main.mjs');
// Loading the program would let the space where objects begin grow to 64 MB, which it then keeps. A turn of the poller
// leaves little behind: with 2 MB it takes no more CPU. (runtime/program.ts says the same later, for all programs.)
setFlagsFromString('--semi-space-growth-factor=1');
await import('./main.ts');
