import { requireNode } from '../tools/require-node.mjs';

requireNode('webhook/main.mjs');
await import('./main.ts');
