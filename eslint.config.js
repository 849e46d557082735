// The lint rules are the architecture: allowed imports, access to the outside world, sizes, wording. Every
// message says what to do instead.
import js from '@eslint/js';
import { builtinRules } from 'eslint/use-at-your-own-risk';
import { readdirSync } from 'node:fs';
import graphql from '@graphql-eslint/eslint-plugin';
import markdown from '@eslint/markdown';
import tseslint from 'typescript-eslint';
import importX, { createNodeResolver } from 'eslint-plugin-import-x';
import { coreZones } from './tools/lint/core-direction.mjs';
import language from './tools/lint/plugin.mjs';

const experiments = readdirSync(new URL('./experiments', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

const viaGraph =
  'Experiments talk to core through the graph, as a service principal (@rhizome/client): see docs/how-to/write-an-experiment.md.';
const zone = (names, message) => ({
  group: names.flatMap((n) => [`@rhizome/${n}`, `@rhizome/${n}/*`]),
  message,
});
const relative = {
  regex:
    '^(\\.\\./){3,}(?!test/support/)(lib|schema|subgraphs|experiments|gateway|file-service|clients|deploy|test)/',
  message:
    'Import another package by its name (@rhizome/…), and name it in package.json: its folder is its own.',
};
const mongodb = {
  group: ['mongodb', 'mongodb/*'],
  message:
    '`mongodb` is imported in lib/mongo and in *.repository.ts, *.document.ts only: give the repository a method that says what you need.',
};
const restrict = (...patterns) => ({
  'no-restricted-imports': ['error', { patterns: [relative, ...patterns] }],
});

const processEnv = {
  object: 'process',
  property: 'env',
  message: 'Configuration is parsed once: read it in config.ts (or bin.ts) with @rhizome/config and pass it.',
};
const clockAndChance = [
  {
    object: 'Date',
    property: 'now',
    message:
      'Take the time from the Clock that is passed in: a simulation runs these rules on a virtual one.',
  },
  {
    object: 'Math',
    property: 'random',
    message: 'Take ids and random numbers from what is passed in: a simulation must be able to repeat a run.',
  },
];
const newDate = {
  selector: "NewExpression[callee.name='Date'][arguments.length=0]",
  message: 'Take the time from the Clock that is passed in: a simulation runs these rules on a virtual one.',
};
const noEnum = {
  selector: 'TSEnumDeclaration',
  message: 'A const object or a string union, no TypeScript enum.',
};
const noAccessibility = {
  selector:
    ":matches(PropertyDefinition, AccessorProperty, TSAbstractPropertyDefinition, TSParameterProperty)[accessibility], MethodDefinition[kind!='constructor'][accessibility]",
  message:
    'Name a private member `#name`; `private` and `protected` end at run time, and `public` says nothing.',
};
const noExportAll = {
  selector: 'ExportAllDeclaration',
  message: 'Name what you export: a wildcard hides what is public and makes cycles.',
};

/** Source files; Markdown and SDL have languages of their own. */
const code = ['**/*.{ts,tsx,js,mjs}'];

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/bundle/**',
      '**/dist-test/**',
      '**/node_modules/**',
      '**/*.generated.ts',
      '.rhizome/**',
      '.cache/**',
      'schema/supergraph.graphql',
      'schema/public.graphql',
    ],
  },
  ...[js.configs.recommended, ...tseslint.configs.recommended].map((config) => ({ files: code, ...config })),
  {
    files: code,
    plugins: { language },
    rules: {
      'language/plain-language': 'error',
      'language/docblocks': 'error',
      // Prettier wraps code, not comments.
      'max-len': ['error', { code: 1000, comments: 110, ignoreUrls: true }],
    },
  },
  { files: ['**/*.{test,e2e,soak}.ts'], plugins: { language }, rules: { 'language/test-names': 'error' } },
  {
    files: ['subgraphs/core/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    plugins: { 'import-x': importX },
    settings: {
      // Sources import what they compile to: `./x.js` is `x.ts`.
      'import-x/resolver-next': [
        createNodeResolver({
          extensions: ['.ts', '.tsx'],
          extensionAlias: { '.js': ['.ts', '.tsx', '.js'] },
        }),
      ],
      'import-x/extensions': ['.ts', '.tsx'],
      'import-x/external-module-folders': ['node_modules'],
    },
    rules: { 'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: coreZones }] },
  },
  {
    files: ['**/*.md'],
    plugins: { markdown, language },
    language: 'markdown/gfm',
    rules: { 'language/plain-language': 'error', 'language/line-length': 'error' },
  },
  {
    // Generated.
    files: ['docs/reference/{errors,refusals,query-planner-guards}.md'],
    rules: { 'language/line-length': 'off' },
  },
  {
    // SDL that subgraphs publish; client operations need no descriptions.
    files: ['schema/shared.graphql', '**/src/**/*.graphql'],
    languageOptions: { parser: graphql.parser },
    plugins: { '@graphql-eslint': graphql, language },
    rules: {
      'language/plain-language': 'error',
      'language/descriptions': 'error',
      '@graphql-eslint/no-hashtag-description': 'error',
    },
  },
  {
    files: code,
    plugins: {
      sizes: {
        rules: {
          'max-lines': builtinRules.get('max-lines'),
          'max-function': builtinRules.get('max-lines-per-function'),
        },
      },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/naming-convention': [
        'error',
        // A leading underscore marks what is unused. PascalCase is for values that are used like types:
        // classes, scalars, components.
        { selector: 'variable', format: ['camelCase', 'PascalCase'], leadingUnderscore: 'allow' },
        { selector: 'variable', modifiers: ['destructured'], format: null },
        { selector: 'classProperty', modifiers: ['static'], format: ['camelCase'] },
      ],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-restricted-syntax': ['error', noEnum, noExportAll, noAccessibility],
      'no-restricted-properties': ['error', processEnv],
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      'sizes/max-lines': ['warn', { max: 300, skipBlankLines: true, skipComments: true }],
      'sizes/max-function': ['warn', { max: 40, skipBlankLines: true, skipComments: true }],
      ...restrict(mongodb),
    },
  },
  {
    files: [
      '**/config.ts',
      '**/bin.ts',
      'lib/config/**',
      'lib/testkit/**',
      'test/**',
      'tools/**',
      '**/*.mjs',
      '**/*.test.ts',
      '**/*.e2e.ts',
      '**/payloads/**',
    ],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['lib/**/*.ts'],
    rules: restrict(
      mongodb,
      zone(
        ['core', 'gateway', 'schema', 'pilot', 'executor', 'cli', 'playground', ...experiments],
        'lib is the floor: nothing above it may be imported here.',
      ),
    ),
  },
  { files: ['lib/mongo/**/*.ts', 'lib/testkit/**/*.ts'], rules: restrict() },
  { files: ['lib/deployment/**/*.ts'], rules: restrict() },
  { files: ['lib/identity/**/*.{repository,document}.ts'], rules: restrict() },
  { files: ['lib/audit/**/*.{repository,document}.ts', 'lib/audit/**/*.test.ts'], rules: restrict() },
  { files: ['lib/agents/**/*.{repository,document}.ts', 'lib/agents/**/*.test.ts'], rules: restrict() },
  {
    files: ['lib/experiment/**/*.{repository,document}.ts', 'lib/experiment/**/*.test.ts'],
    rules: restrict(
      zone(
        ['core', 'gateway', 'schema', 'pilot', 'executor', 'cli', 'playground', ...experiments],
        'lib is the floor: nothing above it may be imported here.',
      ),
    ),
  },
  {
    files: ['subgraphs/**/*.ts'],
    rules: {
      ...restrict(
        mongodb,
        zone(
          ['gateway', 'client', 'pilot', 'executor', 'cli', 'playground', ...experiments],
          'Core knows no experiment, no gateway and no client: they know core.',
        ),
      ),
      'no-restricted-properties': ['error', processEnv, ...clockAndChance],
      'no-restricted-syntax': ['error', noEnum, noExportAll, noAccessibility, newDate],
    },
  },
  {
    files: [
      'subgraphs/**/*.{repository,document}.ts',
      'subgraphs/**/migrations/**/*.ts',
      'subgraphs/**/{app,bin}.ts',
      'subgraphs/**/*.test.ts',
    ],
    rules: restrict(
      zone(
        ['gateway', 'client', 'pilot', 'executor', 'cli', 'playground', ...experiments],
        'Core knows no experiment, no gateway and no client: they know core.',
      ),
    ),
  },
  {
    files: ['subgraphs/**/{config,bin}.ts', 'subgraphs/**/*.test.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  ...experiments.flatMap((name) => {
    const zones = [
      zone(['core', 'gateway'], viaGraph),
      zone(
        experiments.filter((other) => other !== name),
        'An experiment does not know another: what both need belongs to core or to the graph.',
      ),
      zone(['schema', 'pilot', 'executor', 'cli', 'playground'], 'An experiment imports lib/* only.'),
    ];
    return [
      { files: [`experiments/${name}/**/*.ts`], rules: restrict(mongodb, ...zones) },
      {
        files: [
          `experiments/${name}/**/{*.repository,*.document,app,bin}.ts`,
          `experiments/${name}/**/*.test.ts`,
        ],
        rules: restrict(...zones),
      },
    ];
  }),
  {
    files: ['gateway/**/*.ts'],
    rules: restrict(
      mongodb,
      zone(
        ['core', 'client', 'pilot', 'executor', 'cli', 'playground', ...experiments],
        'The gateway knows subgraphs by the supergraph alone.',
      ),
    ),
  },
  {
    files: ['gateway/**/*.{repository,document}.ts'],
    rules: restrict(
      zone(
        ['core', 'client', 'pilot', 'executor', 'cli', 'playground', ...experiments],
        'The gateway knows subgraphs by the supergraph alone.',
      ),
    ),
  },
  {
    files: ['clients/**/*.{ts,tsx}'],
    rules: restrict(
      mongodb,
      zone(
        ['core', 'gateway', 'schema', 'mongo', 'subgraph', 'playground', ...experiments],
        'Clients know the public schema alone, through @rhizome/client.',
      ),
    ),
  },
  {
    // The commands for experiments' developers work on SDL and on the repository, not on data.
    files: ['clients/cli/src/experiment/**/*.ts', 'clients/cli/src/commands/{experiment,schema}.ts'],
    rules: restrict(
      mongodb,
      zone(
        ['core', 'gateway', 'mongo', 'subgraph', 'playground', ...experiments],
        'Clients know the public schema alone, through @rhizome/client.',
      ),
    ),
  },
  { files: ['deploy/**/*.ts', 'test/**/*.ts'], rules: restrict() },
  {
    files: ['**/*.test.ts', '**/*.e2e.ts', 'test/**/*.ts'],
    rules: { 'max-lines-per-function': 'off', 'sizes/max-function': 'off', 'sizes/max-lines': 'off' },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        performance: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        fetch: 'readonly',
        document: 'readonly',
        window: 'readonly',
        location: 'readonly',
      },
    },
    rules: { 'no-restricted-imports': 'off' },
  },
);
