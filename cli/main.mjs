#!/usr/bin/env node
import { requireNode } from '../tools/require-node.mjs';

requireNode('cli/main.mjs');
await import('./main.ts');
