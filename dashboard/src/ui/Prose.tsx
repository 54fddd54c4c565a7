import { Fragment } from "react";

/** A sentence of the server's, in which names of things stand between backticks. */
export function Prose({ children }: { children: string }) {
  return children.split(/`([^`]+)`/).map((piece, index) =>
    index % 2 === 1 ? (
      <code key={index} className="font-mono text-[0.93em] wrap-anywhere">
        {piece}
      </code>
    ) : (
      <Fragment key={index}>{piece}</Fragment>
    ),
  );
}
