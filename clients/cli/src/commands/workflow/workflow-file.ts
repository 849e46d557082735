/** YAML or JSON text of one workflow, in the form of the API with short forms. The server checks the rest. */
import { z } from 'zod';
import { validYaml } from '../../files/yaml-file.js';
import type { SubmitWorkflowInput } from '../../operations.generated.js';

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const pairs = z.record(z.string(), scalar);

const payload = z.looseObject({
  command: z.string(),
  arguments: z.array(scalar).optional(),
  /** Names and values; a list of both, as in the API, is accepted, too. */
  environment: z
    .union([
      pairs.transform((values) => Object.entries(values).map(([name, value]) => ({ name, value }))),
      z.array(z.strictObject({ name: z.string(), value: scalar })),
    ])
    .optional(),
});

const condition = z.enum(['SUCCEEDED', 'ENDED', 'FAILED']).optional();

/** The name of a node alone is an edge on its success. */
const dependency = z.union([
  z.string().transform((node) => ({ node })),
  z.strictObject({ node: z.string(), condition }),
]);

/** Output of a node, or of all nodes with a label. */
const input = z.strictObject({
  node: z.string().optional(),
  label: z.string().optional(),
  input: z.string().optional(),
  output: z.string(),
  as: z.string().optional(),
  isOptional: z.boolean().optional(),
  isPrevious: z.boolean().optional(),
});

const job = {
  priority: z.int().optional(),
  requirements: z.looseObject({}).optional(),
  payload: payload.optional(),
  inputs: z.array(input).optional(),
  retry: z.looseObject({}).optional(),
};

/** Sub-graph of a node; the name of the template alone is one iteration. */
const subgraph = z.union([
  z.string().transform((template) => ({ template })),
  z.strictObject({
    template: z.string(),
    maxIterations: z.int().optional(),
    until: z.string().optional(),
    resultNode: z.string().optional(),
  }),
]);

const nodes = z
  .array(
    z.strictObject({
      name: z.string(),
      label: z.string().optional(),
      isFinal: z.boolean().optional(),
      dependsOn: z.array(dependency).optional(),
      needed: z.int().optional(),
      maxAddedNodes: z.int().optional(),
      subgraph: subgraph.optional(),
      ...job,
    }),
  )
  .min(1);

const workflowFile = z.strictObject({
  experiment: z.string(),
  name: z.string(),
  share: z.string().optional(),
  priority: z.int().optional(),
  labels: pairs
    .transform((values) => Object.entries(values).map(([key, value]) => ({ key, value })))
    .optional(),
  nodeLabels: z
    .array(
      z.strictObject({
        label: z.string(),
        ...job,
        maxSubmitted: z.int().optional(),
        failureLimit: z.int().optional(),
      }),
    )
    .optional(),
  nodes,
  groupEdges: z
    .array(z.strictObject({ from: z.string(), to: z.string(), condition, needed: z.int().optional() }))
    .optional(),
  templates: z
    .array(
      z.strictObject({
        name: z.string(),
        nodes: nodes.optional(),
        workflowId: z.string().optional(),
        outputs: z.array(z.strictObject({ node: z.string(), output: z.string() })).optional(),
      }),
    )
    .optional(),
});

/**
 * Reads the text of a file.
 * @param path of the file, for messages
 * @throws CliError that lists every error with its path
 */
export function workflowOf(text: string, path: string): Omit<SubmitWorkflowInput, 'idempotencyKey'> {
  return validYaml(text, path, workflowFile, 'workflow') as Omit<SubmitWorkflowInput, 'idempotencyKey'>;
}
