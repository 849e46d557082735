/**
 * Placement rules of experiments. The command line knows no experiment: it finds in the schema which types
 * explain placement.
 */
import { type ApiClient, documentOf } from '@rhizome/client';
import { CliPlacementTypesDocument } from '../operations.generated.js';
import { type Output, printLine, printTable } from '../output.js';

/** One rule of an experiment. */
export interface PlacementRule {
  readonly text: string;
  readonly selector: string | null;
}

/** The rules of one experiment for a job. */
export interface ExplainedPlacement {
  readonly experiment: string;
  readonly rules: readonly PlacementRule[];
}

type Explained = Readonly<Record<string, { readonly placement: readonly PlacementRule[] } | null>>;

/**
 * The placement rules for a job. Empty if no experiment has any, or if introspection is not allowed; an
 * experiment that does not answer leaves out only its own rules.
 */
export async function placementOf(client: ApiClient, id: string): Promise<readonly ExplainedPlacement[]> {
  const fields = await explainingFields(client);
  if (fields.length === 0) return [];
  const selection = fields.map((name) => `${name} { placement { text selector } }`).join(' ');
  const text = `query CliWhyPlacement($id: ID!) { job(id: $id) { ${selection} } }`;
  const document = documentOf<{ readonly job: Explained | null }, { readonly id: string }>(text);
  const { data } = await client.execute(document, { id }, { idempotent: true });
  return fields.flatMap((experiment) => {
    const rules = data?.job?.[experiment]?.placement ?? [];
    return rules.length > 0 ? [{ experiment, rules }] : [];
  });
}

/** Fields of a job whose type explains placement. */
async function explainingFields(client: ApiClient): Promise<readonly string[]> {
  const { data } = await client.execute(CliPlacementTypesDocument, {}, { idempotent: true });
  const types = new Set((data?.explained?.possibleTypes ?? []).map(({ name }) => name));
  return (data?.job?.fields ?? []).flatMap(({ name, type }) => (types.has(type.name) ? [name] : []));
}

/** Prints the rules. */
export function printPlacement(output: Output, explained: readonly ExplainedPlacement[]): void {
  const rows = explained.flatMap(({ experiment, rules }) =>
    rules.map(({ text, selector }) => [experiment, text, selector ?? '']),
  );
  if (rows.length === 0) return;
  printLine(output, 'Requirements of the experiment:');
  printTable(output, ['EXPERIMENT', 'RULE', 'SELECTOR'], rows);
}
