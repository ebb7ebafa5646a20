@echo off
rem For Windows Task Scheduler. Not run on Windows yet: see README, "Windows".
rem Set CATALOG_SYNC_ODOO_ERP_PASSWORD_FILE in the system's environment, or in catalog-sync.env.bat beside this file.
cd /d "%~dp0"
if exist catalog-sync.env.bat call catalog-sync.env.bat
set PROGRAM=catalog-sync.exe
if not exist "%PROGRAM%" set PROGRAM=target\release\catalog-sync.exe
if not exist "%PROGRAM%" (
  echo sync.bat: no catalog-sync.exe found beside it or in target\release
  exit /b 2
)
"%PROGRAM%" sync %* >>sync.log 2>&1
exit /b %ERRORLEVEL%
