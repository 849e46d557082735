/** The selection of a mutation that the gateway runs for somebody. */
import {
  getNamedType,
  type GraphQLField,
  type GraphQLObjectType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';

/** Fields by which people recognise an object. */
const identifying = ['id', 'ref', 'name', 'subject', 'state', 'status'];
const deepest = 3;

/**
 * Selects what a person needs to see of a payload: its errors and counts, and of each object only what
 * identifies it. The proposer reads the answer, and could otherwise read with the rights of the approver.
 */
export function selectionOf(type: GraphQLObjectType, depth = 1): string {
  const fields = Object.values(type.getFields()).filter(isPlain);
  const isObject = 'id' in type.getFields() || 'subject' in type.getFields();
  const selected = fields.flatMap((field) => {
    const inner = getNamedType(field.type);
    if (isLeafType(inner)) return isObject && !identifying.includes(field.name) ? [] : [field.name];
    if (isObject || !isObjectType(inner) || depth >= deepest) return [];
    const below = selectionOf(inner, depth + 1);
    return below === '' ? [] : [`${field.name} ${below}`];
  });
  return selected.length === 0 ? '' : `{ ${selected.join(' ')} }`;
}

function isPlain({ args, deprecationReason, name }: GraphQLField<unknown, unknown>): boolean {
  return !args.some(isRequiredArgument) && deprecationReason == null && !name.startsWith('viewer');
}
