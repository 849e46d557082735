/** Markdown as elements of the page. */
import type { Nodes, Parents, Root, Table } from 'mdast';
import { createElement, type ReactNode } from 'react';
import { visibleText } from '../components/visible-text.js';

/** Deepest nesting that is shown, well below what exhausts the stack. */
const deepest = 50;

/** Markdown, rendered without HTML: the nodes of its tree become elements of a fixed list. */
export function Markdown({ tree }: { tree: Root }) {
  return <div className="markdown">{children(tree, 0)}</div>;
}

const children = (node: Parents, depth: number): ReactNode[] =>
  node.children.map((child, key) => <Node key={key} node={child} depth={depth + 1} />);

/** Elements of the nodes that have nothing but children. */
const elements: Partial<Record<Nodes['type'], string>> = {
  paragraph: 'p',
  blockquote: 'blockquote',
  listItem: 'li',
  emphasis: 'em',
  strong: 'strong',
  delete: 'del',
};

function Node({ node, depth }: { node: Nodes; depth: number }): ReactNode {
  if (depth > deepest) return '…';
  const element = elements[node.type];
  if (element !== undefined && 'children' in node) return createElement(element, null, children(node, depth));
  switch (node.type) {
    case 'text':
      return visibleText(node.value);
    // As text: nothing in a file becomes an element of its own.
    case 'html':
    case 'inlineCode':
      return <code>{visibleText(node.value)}</code>;
    case 'code':
      return <pre className="log">{visibleText(node.value)}</pre>;
    case 'heading':
      // Below the headings of the page.
      return createElement(`h${Math.min(6, node.depth + 2)}`, null, children(node, depth));
    case 'list':
      return node.ordered ? (
        <ol start={node.start ?? 1}>{children(node, depth)}</ol>
      ) : (
        <ul>{children(node, depth)}</ul>
      );
    case 'link':
      return <SafeLink url={node.url}>{children(node, depth)}</SafeLink>;
    case 'image':
      return <span className="muted">[image: {visibleText(node.alt || node.url)}]</span>;
    case 'table':
      return <MarkdownTable table={node} depth={depth} />;
    case 'break':
      return <br />;
    case 'thematicBreak':
      return <hr />;
    default:
      // References and their definitions are shown by their text alone.
      return 'children' in node ? children(node, depth) : null;
  }
}

/** A link to a page or a mailbox; other addresses, such as `javascript:`, are text. */
function SafeLink({ url, children: content }: { url: string; children: ReactNode }) {
  // With both slashes: `https:/jobs` would be a path of the dashboard.
  const isSafe = URL.canParse(url) && /^(?:https?:\/\/|mailto:)/i.test(url);
  if (!isSafe) return <>{content}</>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer" title={visibleText(url)}>
      {content}
    </a>
  );
}

function MarkdownTable({ table: { children: rows }, depth }: { table: Table; depth: number }) {
  return (
    <div className="table">
      <table>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              {row.children.map((cell, column) =>
                createElement(at === 0 ? 'th' : 'td', { key: column }, children(cell, depth + 2)),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
