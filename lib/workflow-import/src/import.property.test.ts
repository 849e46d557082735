import { deflateSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { detectFormat } from './import-workflow.js';
import { formats } from './import.types.js';
import { tried } from './testing.fixture.js';

/** An empty list, as iDDS packs it. */
const packedNothing = `idds_zip:${deflateSync('[]').toString('base64')}`;

/** Names that importers look for, so that generated values reach their rules. */
const words = [
  ...['cwlVersion', 'v1.2', 'class', 'Workflow', 'CommandLineTool', '$graph', '$import', 'id', 'main'],
  ...['inputs', 'outputs', 'steps', 'run', 'in', 'out', 'source', 'scatter', 'scatterMethod', 'when'],
  ...['flat_crossproduct', 'valueFrom', 'default', 'type', 'array', 'items', 'enum', 'symbols', 'File'],
  ...['int', 'string[]', 'null', 'inputBinding', 'position', 'prefix', 'itemSeparator', 'baseCommand'],
  ...['arguments', '$(inputs.a)', '$(self[0])', '${x}', '$(inputs.a > 1 || !self.b)', 'requirements'],
  ...['ResourceRequirement', 'coresMin', 'hints', 'glob', 'outputBinding', 'a', 'b', 'a/b', 'pickValue'],
  ...['all_non_null', 'linkMerge', 'merge_flattened', 'outputSource', 'location', 'http://x/y', 'path'],
  ...['directed', 'multigraph', 'graph', 'nodes', 'edges', 'links', 'job', 'name', 'label', 'executable'],
  ...['src_uri', 'cmdvals', '{a}', '<FILE:a>', 'files', 'final', 'node_type', 'target', 'environment'],
  ...['module', 'idds.x', 'attributes', 'template', '_works', '_conditions', '_dependency_map', 'task'],
  ...['DomaPanDAWork', 'task_name', packedNothing, 'dependencies', 'inputname', '__proto__'],
  ...['_true_works', 'idds_method', 'is_finished', 'idds_method_internal_id', 'operator', 'constructor'],
];

const word = fc.constantFrom(...words);
const leaf = fc.oneof(word, fc.integer(), fc.boolean(), fc.constant(null), fc.string(), fc.double());
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(word, tie('tree'), { maxKeys: 8 }),
  ),
}));

/** A document that gets past the first checks of a format. */
const documents = {
  cwl: fc.record({
    cwlVersion: fc.constant('v1.2'),
    class: fc.constantFrom('Workflow', 'CommandLineTool'),
    ...{ inputs: tree, outputs: tree, steps: tree, baseCommand: tree, arguments: tree, requirements: tree },
  }),
  bps: fc.record({ directed: fc.constant(true), graph: tree, nodes: fc.array(tree), edges: fc.array(tree) }),
  idds: fc.record({
    class: fc.constant('Workflow'),
    attributes: fc.record({
      template: fc.record({
        attributes: fc.record({ _works: fc.dictionary(word, tree), _conditions: tree }),
      }),
    }),
  }),
};

describe('importWorkflow', () => {
  const isResult = (format: (typeof formats)[number], text: string | Uint8Array, inputs = '{}'): void => {
    const result = tried(format, { file: text, inputs }, { inputs: 'inputs', sharedFolder: '/shared' });
    if ('workflow' in result) {
      const names = new Set(result.workflow.nodes.map(({ name }) => name));
      expect(names.size).toBe(result.workflow.nodes.length);
      for (const { dependsOn = [] } of result.workflow.nodes)
        for (const { node } of dependsOn) expect(names.has(node)).toBe(true);
    } else {
      expect(result.refusals.length).toBeGreaterThan(0);
      expect(result.refusals.length).toBeLessThanOrEqual(51);
      for (const refusal of result.refusals) expect(refusal).toMatch(/\([^()]*:\d+:\d+\)|^and \d+ more$/);
    }
  };

  it.each(formats)(
    'gives a workflow or refusals with places for values of all kinds, and never throws: %s',
    (format) => {
      fc.assert(
        fc.property(documents[format], tree, (value, inputs) => {
          isResult(format, JSON.stringify(value), JSON.stringify(inputs));
        }),
        { numRuns: 150 },
      );
    },
  );

  it.each(formats)('gives a workflow or refusals for any bytes, and never throws: %s', (format) => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.string().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          isResult(format, bytes);
          detectFormat(bytes, 'file');
        },
      ),
      { numRuns: 50 },
    );
  });
});
