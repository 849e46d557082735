/** The selection of a mutation that the gateway runs for somebody. */
import {
  getNamedType,
  type GraphQLField,
  type GraphQLLeafType,
  type GraphQLObjectType,
  isEnumType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';

/** Fields by which people recognise an object. */
const identifying = ['id', 'ref', 'name', 'subject', 'state', 'status'];
/** Texts of errors and refusals. */
const ofErrors = ['message', 'path', 'code'];
/** Types of values that hold no text. */
const plainTypes = ['Int', 'Float', 'Boolean', 'ID', 'DateTime'];
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
    if (isLeafType(inner)) return isShown(field.name, inner, isObject) ? [field.name] : [];
    if (isObject || !isObjectType(inner) || depth >= deepest) return [];
    const below = selectionOf(inner, depth + 1);
    return below === '' ? [] : [`${field.name} ${below}`];
  });
  return selected.length === 0 ? '' : `{ ${selected.join(' ')} }`;
}

/** A text of a payload may be a secret, such as an address to upload to. */
function isShown(name: string, type: GraphQLLeafType, isOfObject: boolean): boolean {
  if (identifying.includes(name)) return true;
  if (isOfObject) return false;
  return isEnumType(type) || plainTypes.includes(type.name) || ofErrors.includes(name);
}

function isPlain({ args, deprecationReason, name }: GraphQLField<unknown, unknown>): boolean {
  return !args.some(isRequiredArgument) && deprecationReason == null && !name.startsWith('viewer');
}
