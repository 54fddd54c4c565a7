import { Fragment, type ReactNode } from "react";
import { Link } from "react-router";

/** The browser tab's title. */
export function PageTitle({ children }: { children: string }) {
  return <title>{`${children} · NanoScale`}</title>;
}

interface Crumb {
  label: string;
  to: string;
}

interface PageHeaderProps {
  title: ReactNode;
  crumbs?: Crumb[];
  subtitle?: ReactNode;
  actions?: ReactNode;
}

export function PageHeader({ title, crumbs = [], subtitle, actions }: PageHeaderProps) {
  return (
    <header className="flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        {crumbs.length > 0 && (
          <nav aria-label="Breadcrumb" className="mb-1 flex flex-wrap items-center gap-1.5 text-[13px] text-faint">
            {crumbs.map(({ label, to }) => (
              <Fragment key={to}>
                <Link to={to} className="rounded hover:text-ink hover:underline">
                  {label}
                </Link>
                <span aria-hidden>/</span>
              </Fragment>
            ))}
          </nav>
        )}
        <h1 className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 text-[22px] leading-tight font-semibold tracking-tight">{title}</h1>
        {subtitle && <div className="mt-1.5 text-soft">{subtitle}</div>}
      </div>
      {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  );
}
