import streamlit as st

st.header("overview")
