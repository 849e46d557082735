import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { read, root, workspacePackages } from './repository.js';

/**
 * Every third-party package that ships, with what it is for. A new one is an argument: add its line and say
 * why.
 */
const allowed: Readonly<Record<string, string>> = {
  '@aws-sdk/client-s3': 'storages by S3; loaded with the first call',
  '@aws-sdk/lib-storage': 'uploads to S3 in parts',
  '@aws-sdk/s3-request-presigner': 'signed addresses of S3',
  '@modelcontextprotocol/node':
    'the Model Context Protocol on connections of Node.js; loaded with the first call',
  '@modelcontextprotocol/server': 'the Model Context Protocol; loaded with the first call',
  '@xmldom/xmldom': "nvidia-smi's XML",
  '@apollo/server': 'subgraph servers',
  '@apollo/subgraph': 'the subgraph specification',
  '@dagrejs/dagre': 'layout of the graphs of workflows, in the browser',
  '@graphiql/react': 'the schema switch of the page to try queries',
  '@graphql-inspector/core': 'differences between two schemas',
  '@graphql-hive/router-query-planner': 'query plans; imported in lib/federation only',
  '@graphql-typed-document-node/core': 'typed documents',
  '@marcbachmann/cel-js': 'selectors in CEL',
  '@theguild/federation-composition': 'composition',
  '@urql/core': 'the GraphQL client of the pages',
  cockatiel: 'circuit breakers',
  commander: 'command lines',
  dataloader: 'batches behind fields',
  graphiql: 'the page to try queries',
  graphql: 'parsing, validation, execution',
  'graphql-jit': 'compiled subgraph documents in process',
  'graphql-ws': 'streams over WebSocket',
  ignore: 'patterns of .rhizomeignore',
  jose: 'tokens',
  'lru-cache': 'bounded maps',
  'mdast-util-from-markdown': 'previews of Markdown',
  'mdast-util-gfm-table': 'tables in previews of Markdown',
  'micromark-extension-gfm-table': 'the same',
  mongodb: 'the store',
  'mongodb-memory-server-core': 'finding an official mongod',
  'openid-client': 'logins at issuers',
  pino: 'logs',
  'prom-client': 'metrics',
  react: 'pages',
  'react-dom': 'pages',
  'string-width': 'columns that a text takes in a terminal',
  re2js: 'log patterns of failure policies, in linear time',
  tinyqueue: 'the priority queue of placement',
  ulid: 'time-ordered ids',
  undici: 'HTTP client',
  urql: 'the same, for React',
  ws: 'WebSocket',
  yaml: 'YAML files',
  zod: 'configuration and manifests',
};

describe('third-party dependencies', () => {
  const shipped = workspacePackages()
    .filter(({ folder }) => folder !== 'test' && folder !== 'lib/testkit')
    .flatMap(({ folder, dependencies }) =>
      Object.entries(dependencies).map(([name, version]) => ({ folder, name, version })),
    )
    .filter(({ name }) => !name.startsWith('@rhizome/'));

  it('contains every third-party package that ships', () => {
    expect([...new Set(shipped.map(({ name }) => name))].filter((name) => !(name in allowed)).sort()).toEqual(
      [],
    );
  });

  it('contains only packages that are in use', () => {
    expect(
      Object.keys(allowed).filter((name) => !shipped.some((dependency) => dependency.name === name)),
    ).toEqual([]);
  });

  it('has exact versions, the same in every package', () => {
    const versions = new Map<string, Set<string>>();
    for (const { name, version } of shipped)
      versions.set(name, (versions.get(name) ?? new Set()).add(version));
    const loose = [...versions].filter(
      ([, set]) => set.size !== 1 || ![...set].every((version) => /^\d+\.\d+\.\d+$/.test(version)),
    );
    expect(loose.map(([name, set]) => `${name}: ${[...set].join(', ')}`)).toEqual([]);
  });

  it('contains no host names in the lock file', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { resolved?: string }>;
    };
    expect(Object.values(packages).filter(({ resolved }) => resolved?.startsWith('http')).length).toBe(0);
  });
});

describe('packages of the workspace', () => {
  const packages = workspacePackages();
  const folderOf = new Map(packages.map(({ name, folder }) => [name, folder]));

  /** Folders of the packages that a project names as built before it. */
  const referencesOf = (folder: string, project: string): readonly string[] => {
    const { references = [] } = JSON.parse(read(join(folder, project))) as {
      references?: readonly { path: string }[];
    };
    return references.map(({ path }) => join(folder, path));
  };

  it.each(['tsconfig.json', 'tsconfig.test.json'])(
    'builds after the dependencies of the package: %s',
    (project) => {
      const found = packages.filter(({ folder }) => existsSync(join(root, folder, project)));
      const missing = found.flatMap(({ folder, dependencies, devDependencies }) => {
        const needed = { ...dependencies, ...(project === 'tsconfig.test.json' ? devDependencies : {}) };
        const references = referencesOf(folder, project);
        return Object.keys(needed)
          .flatMap((name) => folderOf.get(name) ?? [])
          .filter((dependency) => !references.includes(dependency))
          .map((dependency) => `${folder} lacks ${dependency}`);
      });
      expect(found.length).toBeGreaterThan(10);
      expect(missing).toEqual([]);
    },
  );
});
