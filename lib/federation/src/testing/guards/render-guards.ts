import { readFileSync } from 'node:fs';
import { parse, print } from 'graphql';
import {
  type Guard,
  type GuardName,
  guards,
  type UpstreamProblem,
  type UpstreamReport,
} from '../../planning/guards.js';
import { type Reproduction, reproductions } from './reproductions.js';

const head = `# Guards of the native query planner

<!-- Written by \`npm run generate\` from lib/federation/src/planning/guards.ts. -->

The gateway plans operations with \`@graphql-hive/router-query-planner\`, the native planner. It is fast, and wrong on some
operations. Each guard on this page is for one fault of the planner or of the supergraph that it gets. The guard changes the
input of the planner, or checks the result: if it is wrong, the fallback planner plans the operation. The fallback planner is
our own, simple planner; its plans are correct but may have more fetches than needed. A test runs the native planner alone on
each example; when a new version is right, the test fails and the guard is removed. Under "Upstream" the page has what a
maintainer of the library needs: the version, the result of the example with the library alone, the right result, and the
report if there is one.
`;

const { dependencies, devDependencies } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as Readonly<Record<'dependencies' | 'devDependencies', Readonly<Record<string, string>>>>;

/** The reference page of the guards. */
export function renderGuards(): string {
  const sections = (Object.keys(guards) as GuardName[]).map((name) => renderGuard(name, guards[name]));
  return `${head}\n${sections.join('\n')}`;
}

function renderGuard(name: GuardName, guard: Guard): string {
  const facts = [
    `- **Fault**: ${guard.fault}.`,
    `- **Remedy**: ${guard.remedy} (\`lib/federation/src/${guard.module}.ts\`).`,
    ...renderProblem(guard.problem),
  ];
  return `## ${name}\n\n${facts.join('\n')}\n\n${reproductions[name].map(renderReproduction).join('\n')}`;
}

function renderProblem({ component, actual, expected, report }: UpstreamProblem): readonly string[] {
  const version = dependencies[component] ?? devDependencies[component];
  if (version === undefined) throw new Error(`Dependency "${component}" not found.`);
  return [
    `- **Upstream**: \`${component}\` ${version}. ${renderReport(report)}.`,
    `  - **Actual**: ${actual}.`,
    `  - **Expected**: ${expected}.`,
  ];
}

function renderReport(report: UpstreamReport | undefined): string {
  if (!report) return 'Not reported; found by tests with random operations';
  const [, project = '', number = ''] = /([\w-]+)\/\w+\/(\d+)$/.exec(report.url) ?? [];
  const link = `[${project}#${number}](${report.url})`;
  return report.match === 'exact'
    ? `Reported as ${link}`
    : `${link} is related; this example is not reported`;
}

function renderReproduction({ subgraphs, operation, variables }: Reproduction): string {
  const sdl = subgraphs.map(({ name, sdl }) => `# Subgraph "${name}"\n${print(parse(sdl))}`).join('\n\n');
  const given = variables ? `, variables ${JSON.stringify(variables)}` : '';
  return `\`\`\`graphql\n${sdl}\n\n# Operation${given}\n${print(parse(operation))}\n\`\`\`\n`;
}
