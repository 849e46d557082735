import { parse, print } from 'graphql';
import { type Guard, type GuardName, guards } from '../../planning/guards.js';
import { type Reproduction, reproductions } from './reproductions.js';

const head = `# Guards of the native query planner

<!-- Written by \`npm run generate\` from lib/federation/src/planning/guards.ts. -->

The gateway plans operations with \`@graphql-hive/router-query-planner\`, the native planner. It is fast, and wrong on some
operations. Each guard on this page knows one of its faults: it changes what the planner is given, or checks the plan that
comes back and leaves the operation to the fallback planner. A test runs the native planner alone on each example; when a
new version is right, the test fails and the guard is removed.
`;

/** The reference page of the guards. */
export function renderGuards(): string {
  const sections = (Object.keys(guards) as GuardName[]).map((name) => renderGuard(name, guards[name]));
  return `${head}\n${sections.join('\n')}`;
}

function renderGuard(name: GuardName, guard: Guard): string {
  const facts = [
    `- **Fault**: ${guard.fault}.`,
    `- **Remedy**: ${guard.remedy} (\`lib/federation/src/${guard.module}.ts\`).`,
    `- **Upstream**: ${upstreamOf(guard)}.`,
  ];
  return `## ${name}\n\n${facts.join('\n')}\n\n${reproductions[name].map(renderReproduction).join('\n')}`;
}

function upstreamOf({ upstream }: Guard): string {
  if (!upstream) return 'Not reported; found by the differential campaign';
  const link = `[${/(\w+)\/issues/.exec(upstream.url)?.[1] ?? ''}#${upstream.url.split('/').at(-1) ?? ''}](${upstream.url})`;
  return upstream.match === 'exact' ? link : `${link} is related; this example is not reported`;
}

function renderReproduction({ subgraphs, operation, variables }: Reproduction): string {
  const sdl = subgraphs.map(({ name, sdl }) => `# Subgraph "${name}"\n${print(parse(sdl))}`).join('\n\n');
  const given = variables ? `, variables ${JSON.stringify(variables)}` : '';
  return `\`\`\`graphql\n${sdl}\n\n# Operation${given}\n${print(parse(operation))}\n\`\`\`\n`;
}
