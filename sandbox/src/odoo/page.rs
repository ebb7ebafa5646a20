//! Answers that are no JSON-RPC: pages of HTML, and the version numbers.

use serde_json::{Value as Json, json};

use crate::http::Response;
use crate::odoo::settings::OdooVersion;

/// The content type of JSON answers.
pub(crate) const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// `server_version_info`.
pub(crate) fn version_info(version: OdooVersion) -> Json {
    json!([version.major(), 0, 0, "final", 0, ""])
}

/// What `version_info` and `common.version` answer.
pub(crate) fn version(version: OdooVersion) -> Json {
    json!({
        "server_version": version.server_version(),
        "server_version_info": version_info(version),
        "server_serie": format!("{}.0", version.major()),
        "protocol_version": 1,
    })
}

/// An unknown path. The real page is a whole web site's; clients see status and type.
pub(crate) fn not_found() -> Response {
    let body = "<!DOCTYPE html>\n<html>\n    <head>\n        <meta charset=\"utf-8\"/>\n        \
                <title>Odoo</title>\n    </head>\n    <body>\n        <h1>404: Page not found!</h1>\n    \
                </body>\n</html>\n";
    Response::new(404, "text/html;charset=utf-8", body)
}

pub(crate) fn redirect(location: &str) -> Response {
    let body = format!(
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n<p>You should be \
         redirected automatically to the target URL: <a href=\"{location}\">{location}</a>. If not, click the link.\n"
    );
    let mut response = Response::new(303, HTML, body);
    response.headers.push(("Location", location.to_owned()));
    response
}

/// A body that cannot be read as JSON-RPC.
pub(crate) fn bad_json(message: &'static str) -> Response {
    Response::new(400, HTML, message)
}

/// A content type the route does not take: 400 up to 18, 415 from 19 on.
pub(crate) fn wrong_type(version: OdooVersion, path: &str, route_type: &str) -> Response {
    let path = path.replace('<', "&lt;").replace('>', "&gt;");
    let what = format!(
        "Request inferred type is compatible with [&#39;http&#39;] but &#39;{path}&#39; is type=&#39;{route_type}&#39;."
    );
    if version < OdooVersion::V19 {
        let body = format!(
            "<!doctype html>\n<html lang=en>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n<p>{what}</p>\n"
        );
        return Response::new(400, HTML, body);
    }
    let body = format!(
        "<!doctype html>\n<html lang=en>\n<title>415 Unsupported Media Type</title>\n<h1>Unsupported Media \
         Type</h1>\n<p>{what}<br><br>Please verify the Content-Type request header and try again.</p>\n"
    );
    Response::new(415, HTML, body)
}

/// JSON-2 with a database that is not there.
pub(crate) fn no_database() -> Response {
    let body = "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected and the \
                requested URL was not found in the server-wide controllers.</p>\n<p>Please verify the hostname, <a \
                href=/web/login>login</a> and try again.</p>\n\n<!-- Alternatively, use the X-Odoo-Database header. \
                -->\n";
    Response::new(404, HTML, body)
}
