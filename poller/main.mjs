import { requireNode } from '../tools/require-node.mjs';

requireNode('poller/main.mjs');
await import('./main.ts');
