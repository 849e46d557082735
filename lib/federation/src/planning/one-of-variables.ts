import {
  type ASTVisitor,
  getNullableType,
  GraphQLError,
  isInputObjectType,
  isNonNullType,
  Kind,
  print,
  type ValidationContext,
} from 'graphql';

/**
 * Rejects nullable variables for fields of `@oneOf` input objects in a non-null position. The rule of
 * graphql-js covers only nullable positions: it does not unwrap the type of the position.
 */
export function oneOfVariablesRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition: (operation) => {
      const types = new Map(
        operation.variableDefinitions?.map(({ variable, type }) => [variable.name.value, type]),
      );
      for (const { node, parentType } of context.getRecursiveVariableUsages(operation)) {
        const type = types.get(node.name.value);
        if (!type || type.kind === Kind.NON_NULL_TYPE || !isNonNullType(parentType)) continue;
        const parent = getNullableType(parentType);
        if (!isInputObjectType(parent) || !parent.isOneOf) continue;
        const message = `Variable "$${node.name.value}" is of type "${print(type)}" but must be non-nullable to be used for OneOf Input Object "${parent.name}".`;
        context.reportError(new GraphQLError(message, { nodes: [node] }));
      }
    },
  };
}
