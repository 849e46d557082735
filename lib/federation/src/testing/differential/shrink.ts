import {
  type ASTNode,
  type DocumentNode,
  Kind,
  parse,
  print,
  type SelectionSetNode,
  validate,
  visit,
} from 'graphql';
import type { GraphQLSchema } from 'graphql';
import type { RandomOperation } from './random-operation.js';

/** Maximum number of attempts for one failing operation. */
const maxTries = 300;

/**
 * The smallest operation found that still fails: selections, directives and fragments are removed one by one.
 */
export async function shrink(
  schema: GraphQLSchema,
  operation: RandomOperation,
  fails: (operation: RandomOperation) => Promise<boolean>,
): Promise<RandomOperation> {
  let best = operation;
  let tries = 0;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const candidate of candidates(best)) {
      if (tries++ > maxTries) return best;
      if (validate(schema, parse(candidate.query)).length > 0 || !(await fails(candidate))) continue;
      best = candidate;
      isSmaller = true;
      break;
    }
  }
  return best;
}

function* candidates({ query, variables }: RandomOperation): Generator<RandomOperation> {
  const document = parse(query);
  const total = countParts(document);
  for (let index = 0; index < total; index++) {
    const smaller = cleaned(withoutPart(document, index));
    if (smaller) yield { query: print(smaller), variables };
  }
}

function isPart(node: ASTNode): boolean {
  return (
    node.kind === Kind.FIELD ||
    node.kind === Kind.INLINE_FRAGMENT ||
    node.kind === Kind.FRAGMENT_SPREAD ||
    node.kind === Kind.DIRECTIVE
  );
}

function countParts(document: DocumentNode): number {
  let count = 0;
  visit(document, {
    enter(node) {
      if (isPart(node)) count++;
    },
  });
  return count;
}

function withoutPart(document: DocumentNode, index: number): DocumentNode {
  let at = -1;
  return visit(document, {
    enter(node) {
      if (!isPart(node)) return undefined;
      at++;
      return at === index ? null : undefined;
    },
  });
}

/** The document without empty selections, unused fragments and unused variables. */
function cleaned(document: DocumentNode): DocumentNode | undefined {
  const filled = visit(document, {
    SelectionSet: {
      leave(node): SelectionSetNode | undefined {
        if (node.selections.length > 0) return undefined;
        return {
          ...node,
          selections: [{ kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } }],
        };
      },
    },
  });
  const text = print(filled);
  const definitions = filled.definitions
    .filter((node) => node.kind !== Kind.FRAGMENT_DEFINITION || text.includes(`...${node.name.value}`))
    .map((node) => {
      if (node.kind !== Kind.OPERATION_DEFINITION) return node;
      const body = print(filled).replace(/^[^{]*/, '');
      const used = node.variableDefinitions?.filter(({ variable }) =>
        new RegExp(`\\$${variable.name.value}\\b`).test(body),
      );
      return { ...node, variableDefinitions: used ?? [] };
    });
  return definitions.length > 0 ? { ...filled, definitions } : undefined;
}
