import Visitor from '@swc/core/Visitor.js';

// swc parses `using x = ...`, but its visitor, which dependency-cruiser walks with, does not know the node.
const { visitStatement } = Visitor.Visitor.prototype;
Visitor.Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};

/**
 * The import directions of the rooms. A room may import itself and the rooms named here, nothing else;
 * that makes every import point downwards. The table is the design, the rules below only spell it out.
 */
const ROOMS = {
  api: [],
  runtime: ['api'],
  kube: ['api'],
  template: ['api'],
  policy: ['providers', 'template', 'api'],
  providers: ['template', 'api'],
  certs: ['kube', 'runtime', 'api'],
  sync: ['policy', 'template', 'providers', 'kube', 'api'],
  webhook: ['sync', 'policy', 'template', 'providers', 'kube', 'certs', 'runtime', 'api'],
  poller: ['sync', 'policy', 'template', 'providers', 'kube', 'runtime', 'api'],
  cli: ['sync', 'policy', 'template', 'providers', 'kube', 'certs', 'runtime', 'api'],
  // The manifests are rendered by helm, which set-up has fetched.
  deploy: ['providers', 'api', 'tools/setup'],
};

/** Files of no room that programs may import all the same. */
const ALLOWED_ANYWHERE = ['^tools/require-node\\.mjs$', '^package\\.json$'];
const IO_MODULES =
  '^(node:)?(fs|net|http|http2|https|tls|dns|dgram|child_process|worker_threads|cluster|inspector|repl)(/|$)';

const direction = Object.entries(ROOMS).map(([room, below]) => ({
  name: `${room}-imports-downwards`,
  comment: `${room}/ may import ${[room, ...below].join(', ')}`,
  severity: 'error',
  from: { path: `^${room}/`, pathNot: '\\.test\\.ts$' },
  to: {
    pathNot: [`^(${[room, ...below].join('|')})/`, ...ALLOWED_ANYWHERE, '^node_modules/'],
    dependencyTypesNot: ['core', 'npm', 'npm-dev', 'npm-optional'],
  },
}));

// A unit test stands in its room and keeps to its directions, but may use the servers and kits of test/.
const testDirection = Object.entries(ROOMS).map(([room, below]) => ({
  name: `${room}-tests-import-downwards`,
  severity: 'error',
  from: { path: `^${room}/.*\\.test\\.ts$` },
  to: {
    pathNot: [`^(${[room, ...below, 'test'].join('|')})/`, ...ALLOWED_ANYWHERE, '^node_modules/'],
    dependencyTypesNot: ['core', 'npm', 'npm-dev', 'npm-optional'],
  },
}));

export default {
  forbidden: [
    ...direction,
    ...testDirection,
    {
      name: 'api-is-pure',
      comment: 'api/ holds kinds and pure functions: no file, no socket, no process',
      severity: 'error',
      from: { path: '^api/', pathNot: '\\.test\\.ts$' },
      to: { path: IO_MODULES },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'not-to-a-test',
      comment: 'what two tests share belongs in a file that is no test',
      severity: 'error',
      from: {},
      to: { path: '\\.test\\.ts$' },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency-in-programs',
      severity: 'error',
      from: { path: `^(${Object.keys(ROOMS).join('|')})/`, pathNot: ['\\.test\\.ts$', '^deploy/'] },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
        pathNot: '^node_modules/@types/',
      },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^(\\.dev|\\.cache|dist)/', '\\.d\\.mts$'] },
    moduleSystems: ['es6'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
