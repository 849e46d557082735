/** The reference page of refusals: the codes in `userErrors`, by the mutations that answer with them. */
import {
  buildSchema,
  getNamedType,
  type GraphQLEnumType,
  type GraphQLSchema,
  isEnumType,
  isObjectType,
} from 'graphql';

const intro = `<!-- Written by \`npm run compose\`. Do not edit. -->

# Refusals

What a mutation refuses is data, not an error: an entry of \`userErrors\` with a sentence (\`message\`) that names the field, the value and what
would be right, the \`path\` of the place in the input, and a \`code\`, a stable word. Nothing is done for what was refused; mend the place and
send it again, under another idempotency key. Experiments answer with words of their own prefix, or with these. Errors of the whole request
are in [errors](errors.md), reasons why an attempt of a job failed in [job errors](job-errors.md).
`;

/** The page, as Markdown with aligned tables. */
export function renderRefusals(publicSdl: string): string {
  const schema = buildSchema(publicSdl, { assumeValidSDL: true });
  const sections = [...codesByEnum(schema)].map(([type, doors]) => {
    const named = doors.map((door) => `\`${door}\``).join(', ');
    const rows = type.getValues().map(({ name, description }) => [`\`${name}\``, textOf(description)]);
    return `## ${type.name}\n\n${textOf(type.description)} Answered by ${named}.\n\n${table(['Code', 'When'], rows)}\n`;
  });
  return `${intro}\n${sections.join('\n')}`;
}

/** Each enum of codes with the root fields whose payloads carry it. */
function codesByEnum(schema: GraphQLSchema): ReadonlyMap<GraphQLEnumType, readonly string[]> {
  const found = new Map<GraphQLEnumType, string[]>();
  for (const root of [schema.getMutationType(), schema.getQueryType()]) {
    for (const { name, type } of Object.values(root?.getFields() ?? {})) {
      const code = codesOf(getNamedType(type));
      if (code) found.set(code, [...(found.get(code) ?? []), name]);
    }
  }
  return found;
}

function codesOf(payload: unknown): GraphQLEnumType | undefined {
  if (!isObjectType(payload)) return undefined;
  const fault = payload.getFields()['userErrors'];
  const type = fault && getNamedType(fault.type);
  const code = isObjectType(type) ? getNamedType(type.getFields()['code']?.type) : undefined;
  return isEnumType(code) ? code : undefined;
}

function textOf(description: string | null | undefined): string {
  return (description ?? '').replaceAll('\n', ' ').replaceAll('|', '\\|');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
