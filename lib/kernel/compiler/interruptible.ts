import type * as Typescript from '@tslab/typescript-for-tslab';
import type {
  Block,
  ConciseBody,
  Node,
  SourceFile,
  Statement,
  TransformerFactory,
} from '@tslab/typescript-for-tslab';

/** TypeScript, as a value. */
export type Compiler = typeof Typescript;

/** The function that cells call in each turn of a loop and at the start of each function; it throws to stop them. */
export const checkName = '__stopIfInterrupted__';

/**
 * Puts a call of {@link checkName} into every loop and function.
 *
 * JavaScript that computes hears nothing, and what V8 breaks off from outside ends without `catch` and `finally`, with
 * Node's own books left open. An exception at a place in the cell's code does no harm.
 */
export function interruptible(compiler: Compiler): TransformerFactory<SourceFile> {
  return (context) => {
    const { factory } = context;
    const check = () => factory.createCallExpression(factory.createIdentifier(checkName), undefined, []);

    const begin = ({ statements }: Block): Block => {
      const directives = statements.filter(
        (statement) =>
          compiler.isExpressionStatement(statement) && compiler.isStringLiteral(statement.expression),
      );
      return factory.createBlock([
        ...directives,
        factory.createExpressionStatement(check()),
        ...statements.slice(directives.length),
      ]);
    };
    const asBlock = (statement: Statement): Block =>
      compiler.isBlock(statement) ? statement : factory.createBlock([statement]);

    const visit = (node: Node): Node => {
      const visited = compiler.visitEachChild(node, visit, context);
      const changed: Changeable = visited;
      if (compiler.isIterationStatement(visited, false)) {
        changed.statement = begin(asBlock(visited.statement));
      } else if (compiler.isFunctionLike(visited) && changed.body) {
        changed.body = compiler.isBlock(changed.body)
          ? begin(changed.body)
          : factory.createParenthesizedExpression(factory.createComma(check(), changed.body));
      }
      return visited;
    };
    return (file) => compiler.visitEachChild(file, visit, context);
  };
}

/** The tree is made for this one pass, so it may be changed in place. */
type Changeable = Node & { statement?: Statement; body?: ConciseBody };
