/** Reference page of the codes in `userErrors`, with the mutations that return them. */
import {
  buildSchema,
  getNamedType,
  type GraphQLEnumType,
  type GraphQLSchema,
  isEnumType,
  isObjectType,
} from 'graphql';

const intro = `<!-- Written by \`npm run generate\`. Do not edit. -->

# User errors

A mutation returns errors in its input as data: entries of \`userErrors\` with a \`message\` that names the field, the value and what is valid,
the \`path\` in the input, and a stable \`code\`. A rejected entry changes nothing, unless its code says
otherwise; other entries of the same call may have been accepted. Fix the entry and send it with another idempotency key, because the first key may belong to
the entries that were accepted. The mutations of experiments have
codes of their own, such as \`CHAIN_INVALID\`. See [errors](errors.md) for errors of the whole request,
and [job errors](job-errors.md) for the reasons why an attempt of a job failed.
`;

/** The page, as Markdown with aligned tables. */
export function renderRefusals(publicSdl: string): string {
  const schema = buildSchema(publicSdl, { assumeValidSDL: true });
  const sections = [...codesByEnum(schema)].map(([type, fields]) => {
    const named = fields.map((field) => `\`${field}\``).join(', ');
    const rows = type.getValues().map(({ name, description }) => [`\`${name}\``, textOf(description)]);
    return `## ${type.name}\n\n${textOf(type.description)} Returned by ${named}.\n\n${table(['Code', 'When'], rows)}\n`;
  });
  return `${intro}\n${sections.join('\n')}`;
}

/** Each enum of codes with the root fields whose payloads have it. */
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
  const userErrors = payload.getFields()['userErrors'];
  const type = userErrors && getNamedType(userErrors.type);
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
