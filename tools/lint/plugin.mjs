// ESLint rules of this project's language: wording in comments, strings, SDL and Markdown; form of docblocks,
// descriptions and test names.
import { notFirst, notUsed } from './language.mjs';

/** Reports each match of the word list in a text. `locate` turns offsets in the text into a location. */
function checkWording(text, report) {
  for (const { pattern, instead } of notUsed) {
    const match = pattern.exec(text);
    if (match) report(match.index, `"${match[0].trim()}" is not used here: write ${instead}.`);
  }
}

/** A string that is prose: it has words with a blank between them. */
const isProse = (text) => /[A-Za-z]{2,} [A-Za-z]{2,}/.test(text);

const plainLanguage = {
  meta: {
    type: 'suggestion',
    schema: [],
    docs: { description: 'Wording that is not used in this project.' },
  },
  create(context) {
    const source = context.sourceCode;
    const check = (node, text) =>
      checkWording(text, (_index, message) => context.report({ loc: node.loc ?? node.position, message }));
    return {
      Program() {
        for (const comment of source.getAllComments?.() ?? [])
          check(comment, comment.value.replace(/\n\s*\*?\s*/g, ' '));
      },
      Literal(node) {
        if (typeof node.value === 'string' && isProse(node.value)) check(node, node.value);
      },
      TemplateElement(node) {
        const text = node.value.cooked ?? '';
        if (isProse(text)) check(node, text);
      },
      // SDL, parsed by graphql-eslint
      StringValue(node) {
        if (typeof node.value === 'string' && isProse(node.value)) check(node, node.value);
      },
      // Markdown
      paragraph(node) {
        check(node, proseOf(node));
      },
      heading(node) {
        check(node, proseOf(node));
      },
      tableCell(node) {
        check(node, proseOf(node));
      },
    };
  },
};

/** The text of a Markdown node without code. */
function proseOf(node) {
  if (node.type === 'inlineCode') return '`';
  if (node.type === 'text') return node.value.replace(/\s+/g, ' ');
  return (node.children ?? []).map(proseOf).join('');
}

const docblocks = {
  meta: { type: 'suggestion', schema: [], docs: { description: 'Docblocks begin with what the thing is.' } },
  create(context) {
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          if (comment.type !== 'Block' || !comment.value.startsWith('*')) continue;
          const text = comment.value
            .replace(/^\*\s*/, '')
            .replace(/\n\s*\*\s?/g, ' ')
            .trim();
          const match = notFirst.exec(text);
          if (match)
            context.report({
              loc: comment.loc,
              message: `A docblock begins with a noun phrase or a verb, not with "${match[0]}".`,
            });
        }
      },
    };
  },
};

const descriptions = {
  meta: {
    type: 'suggestion',
    schema: [],
    docs: { description: 'SDL descriptions are noun phrases or sentences.' },
  },
  create(context) {
    const check = (node) => {
      const text = node.description?.value?.trim();
      if (!text) return;
      const match = notFirst.exec(text);
      if (match)
        context.report({
          loc: node.description.loc ?? node.loc,
          message: `A description is a noun phrase or a sentence; it does not begin with "${match[0]}".`,
        });
      if (!/^[A-Z`]/.test(text))
        context.report({
          loc: node.description.loc ?? node.loc,
          message: 'A description begins with a capital letter.',
        });
      if (!/[.:`|)\]]$/.test(text))
        context.report({
          loc: node.description.loc ?? node.loc,
          message: 'A description ends with a full stop.',
        });
    };
    return {
      ':matches(ObjectTypeDefinition, InterfaceTypeDefinition, InputObjectTypeDefinition, EnumTypeDefinition, UnionTypeDefinition, ScalarTypeDefinition, DirectiveDefinition, FieldDefinition, InputValueDefinition, EnumValueDefinition)':
        check,
    };
  },
};

/** Verbs in the third person, and the few others that a test name may begin with. */
const firstOfTest = /^(?:[a-z-]+s|cannot|can|must|never|always|only|still|also|no longer)\b/;

const testNames = {
  meta: { type: 'suggestion', schema: [], docs: { description: 'Test names say what the subject does.' } },
  create(context) {
    const nameOf = (callee) => {
      if (callee.type === 'Identifier') return callee.name;
      if (callee.type === 'MemberExpression') return nameOf(callee.object);
      if (callee.type === 'CallExpression') return nameOf(callee.callee);
      if (callee.type === 'TaggedTemplateExpression') return nameOf(callee.tag);
      return undefined;
    };
    return {
      CallExpression(node) {
        const name = nameOf(node.callee);
        if ((name !== 'it' && name !== 'test') || node.callee.type === 'MemberExpression') return;
        const [title] = node.arguments;
        if (title?.type !== 'Literal' || typeof title.value !== 'string') return;
        if (name === 'test')
          context.report({ node: title, message: "Write it('does …') in describe('subject'), not test(…)." });
        else if (!firstOfTest.test(title.value))
          context.report({
            node: title,
            message: `A test name begins with what the subject does ("returns …", "refuses …"): "${title.value.slice(0, 40)}".`,
          });
      },
    };
  },
};

const maxLineLength = 110;
/** Longer tokens, such as addresses, cannot be wrapped. */
const maxTokenLength = 60;

/** Prettier wraps paragraphs, but not HTML comments. */
const lineLength = {
  meta: {
    type: 'layout',
    schema: [],
    docs: { description: `Markdown prose has at most ${maxLineLength} columns.` },
  },
  create(context) {
    const check = (node) => {
      const { start, end } = node.position;
      for (let line = start.line; line <= end.line; line += 1) {
        const text = context.sourceCode.lines[line - 1];
        const { length } = [...text];
        if (length <= maxLineLength || text.split(' ').some((token) => token.length > maxTokenLength))
          continue;
        context.report({
          loc: { start: { line, column: 1 }, end: { line, column: length } },
          message: `This line has ${length} columns; at most ${maxLineLength} are allowed.`,
        });
      }
    };
    return { paragraph: check, html: check };
  },
};

export default {
  rules: {
    'plain-language': plainLanguage,
    'line-length': lineLength,
    docblocks,
    descriptions,
    'test-names': testNames,
  },
};
